import { describe, expect, it } from 'vitest';
import { verifyWebhook, type WebhookError } from '../../src/client/index.ts';
import { sign } from '../../src/events/signature.ts';

const EVENT = { id: 'evt_1', type: 'payment.posted', data: { amount: '5' } };
const BODY = JSON.stringify(EVENT);
const NOW = new Date('2026-01-01T00:00:00Z');
const AT = NOW.getTime() / 1000;

function codeOf(run: () => unknown): WebhookError['code'] | null {
  try {
    run();
    return null;
  } catch (error) {
    return (error as WebhookError).code;
  }
}

describe('an event that was received', () => {
  it('is read when its signature holds, from text or bytes, with either secret', () => {
    const header = sign(BODY, ['new', 'old'], AT);
    expect(verifyWebhook(BODY, header, 'old', { now: NOW })).toEqual(EVENT);
    expect(verifyWebhook(Buffer.from(BODY), header, ['other', 'new'], { now: NOW })).toEqual(EVENT);
  });

  it('may be five minutes old unless told otherwise', () => {
    const header = sign(BODY, ['secret'], AT - 300);
    expect(verifyWebhook(BODY, header, 'secret', { now: NOW })).toEqual(EVENT);
    expect(codeOf(() => verifyWebhook(BODY, header, 'secret', { now: NOW, toleranceSeconds: 299 }))).toBe(
      'outside_tolerance',
    );
    expect(codeOf(() => verifyWebhook(BODY, header, 'secret'))).toBe('outside_tolerance');
  });

  it.each([
    ['without a header', BODY, undefined, 'malformed_header'],
    ['with another header', BODY, 'Bearer x', 'malformed_header'],
    ['with another body', `${BODY} `, sign(BODY, ['secret'], AT), 'wrong_signature'],
    ['signed by somebody else', BODY, sign(BODY, ['guess'], AT), 'wrong_signature'],
    ['that is no JSON', 'hello', sign('hello', ['secret'], AT), 'malformed_payload'],
    ['that is no event', '[]', sign('[]', ['secret'], AT), 'malformed_payload'],
    ['that is null', 'null', sign('null', ['secret'], AT), 'malformed_payload'],
  ])('%s is refused', (_what, body, header, code) => {
    expect(codeOf(() => verifyWebhook(body, header, 'secret', { now: NOW }))).toBe(code);
  });
});
