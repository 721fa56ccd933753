import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { openBody } from '../../src/queue/body.ts';

const EVENT = { id: 'event-1', type: 'payment.requested', data: { reference: 'é' } };
const BODY = JSON.stringify(EVENT);
const OWN = { traceparent: 'own', tracestate: 'own' };

function open(body: string, encoding: string | null = null, isPointer = false) {
  return openBody({ body, encoding, isPointer, traceParent: OWN });
}

function notification(message: string, attributes?: Record<string, { Type: string; Value: string }>): string {
  return JSON.stringify({
    Type: 'Notification',
    MessageId: 'ab33dd6b-5b1a-4d0b-8d3d-21d9cd7c3f3b',
    TopicArn: 'arn:aws:sns:eu-north-1:000000000000:payments',
    Message: message,
    Timestamp: '2026-01-01T00:00:00.000Z',
    SignatureVersion: '1',
    ...(attributes === undefined ? {} : { MessageAttributes: attributes }),
  });
}

function eventBridge(detail: unknown): string {
  const when = { version: '0', id: '17793124-05d4-b198-2fde-7ededc63b103', time: '2026-01-01T00:00:00Z' };
  const where = { account: '000000000000', region: 'eu-north-1', resources: [] };
  return JSON.stringify({ ...when, ...where, source: 'shop', 'detail-type': 'payment.requested', detail });
}

describe('a body', () => {
  it('is what it says when it is in no envelope', () => {
    expect(open(BODY)).toEqual({ ok: true, json: EVENT, traceParent: OWN });
  });

  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
  ] as const)('is unpacked as its attribute says: %s', (encoding, compress) => {
    expect(open(compress(BODY).toString('base64'), encoding)).toMatchObject({ ok: true, json: EVENT });
  });

  it('is unpacked when it is gzip and does not say so, whatever breaks its lines', () => {
    const base64 = gzipSync(BODY).toString('base64');
    expect(open(base64.replace(/(.{20})/g, '$1\r\n'))).toMatchObject({ ok: true, json: EVENT });
  });

  it('is taken out of the notification of an SNS topic, with the trace of whoever sent it there', () => {
    const attributes = { traceparent: { Type: 'String', Value: 'theirs' }, other: { Type: 'Binary', Value: 'AA==' } };
    expect(open(notification(BODY, attributes))).toEqual({
      ok: true,
      json: EVENT,
      traceParent: { traceparent: 'theirs', tracestate: undefined },
    });
    expect(open(notification(BODY))).toMatchObject({ ok: true, json: EVENT, traceParent: OWN });
  });

  it('is the detail of an EventBridge event, also of one that came by a topic and compressed', () => {
    expect(open(eventBridge(EVENT))).toMatchObject({ ok: true, json: EVENT });
    const packed = brotliCompressSync(eventBridge(EVENT)).toString('base64');
    const attributes = { content_encoding: { Type: 'String', Value: 'br' } };
    const outer = gzipSync(notification(packed, attributes)).toString('base64');
    expect(open(outer, 'gzip')).toMatchObject({ ok: true, json: EVENT });
  });

  it('of something that only looks like an envelope is left as it is', () => {
    const looks = { Type: 'Notification', Message: 7, TopicArn: 'x' };
    expect(open(JSON.stringify(looks))).toMatchObject({ ok: true, json: looks });
    expect(open(JSON.stringify({ 'detail-type': 'x', detail: {} }))).toMatchObject({ json: { detail: {} } });
  });

  it.each([
    ['["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"b","s3Key":"k"}]', false],
    [' [ "com.amazon.sqs.javamessaging.MessageS3Pointer", {"s3BucketName":"b","s3Key":"k"}]', false],
    [BODY, true],
  ])('that points to a payload elsewhere is refused: %s', (body, isPointer) => {
    const opened = open(body, null, isPointer);
    expect(opened).toMatchObject({ ok: false, reason: 'payload_pointer', detail: expect.stringContaining('S3') });
    if (!isPointer) expect(open(notification(body))).toMatchObject({ ok: false, reason: 'payload_pointer' });
  });

  it.each([
    ['H4sIbroken', null, 'gzip: '],
    [BODY, 'gzip', 'must be base64'],
    [Buffer.from(BODY).toString('base64'), 'br', 'br: '],
    [BODY, 'zip', 'content_encoding "zip" is not known; known: gzip, deflate, br'],
    [BODY, 'constructor', 'is not known'],
    [gzipSync(Buffer.alloc((1 << 20) + 1, ' ')).toString('base64'), 'gzip', 'larger than 1048576 bytes'],
    [`${' '.repeat(1_000_000)}!`, 'gzip', 'must be base64'],
  ])('that cannot be unpacked is refused: %.20s as %s', (body, encoding, detail) => {
    const opened = open(body, encoding);
    expect(opened).toMatchObject({ ok: false, reason: 'unreadable_body', detail: expect.stringContaining(detail) });
  });

  it('in too many envelopes is refused', () => {
    const nested = Array.from({ length: 5 }).reduce<string>((body) => notification(body), BODY);
    expect(open(nested)).toMatchObject({ ok: false, reason: 'unreadable_body' });
  });

  it.each([`{"__proto__":{"x":1}}`, String.raw`{"\u005f_proto__":{"x":1}}`, notification(`{"data":{"__proto__":1}}`)])(
    'that sets a prototype is refused: %s',
    (body) => {
      expect(open(body)).toMatchObject({ ok: false, reason: 'schema_violation' });
    },
  );

  it('that is no JSON within its envelope is refused', () => {
    expect(open(notification('hello'))).toMatchObject({ ok: false, reason: 'malformed_json' });
  });
});
