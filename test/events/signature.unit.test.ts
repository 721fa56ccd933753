import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { sign, verify } from '../../src/events/signature.ts';

const BODY = '{"id":"evt_1","type":"payment.posted","data":{"text":"blåbær 5 €"}}';
const AT = 1_767_225_600;
/** Computed with `openssl dgst -sha256 -hmac <secret>` over `1767225600.<body>`, and again with Python's `hmac`. */
const FIRST = '8185a3efe30071b16c4a981b10d25d9d44d3e1c5d2563048fa7d20c0baa296ff';
const SECOND = '43c7659750abef3039ccf0773334d79a636a1e9f4c7323779f7444c507dacb07';
/** Of the bytes 00 ff fe at the time 0, with the first secret. */
const BYTES = 'a3afb1a39711b53c4e11f89c9bafb6ef00cf88a9263d68529981465e180264a7';

const check = (header: string, secrets = ['whsec_first'], now = AT, body: string | Uint8Array = BODY) =>
  verify(body, header, secrets, now, 300);

describe('a signature', () => {
  it('is the HMAC-SHA256 of the time and the body', () => {
    expect(sign(BODY, ['whsec_first'], AT)).toBe(`t=${AT},v1=${FIRST}`);
    expect(sign(Buffer.from(BODY), ['whsec_first'], AT)).toBe(`t=${AT},v1=${FIRST}`);
    expect(sign(new Uint8Array([0, 0xff, 0xfe]), ['whsec_first'], 0)).toBe(`t=0,v1=${BYTES}`);
  });

  it('is made with each secret while one replaces another, and holds for whoever knows either', () => {
    const both = sign(BODY, ['whsec_second', 'whsec_first'], AT);
    expect(both).toBe(`t=${AT},v1=${SECOND},v1=${FIRST}`);
    expect([check(both), check(both, ['whsec_second']), check(both, ['old', 'whsec_second'])]).toEqual([
      true,
      true,
      true,
    ]);
    expect(check(`t=${AT},v1=${FIRST}`, ['whsec_second', 'whsec_first'])).toBe(true);
    expect(check(both, ['whsec_third'])).toBe('wrong_signature');
    expect(check(both, [])).toBe('wrong_signature');
  });

  test.prop([fc.uint8Array(), fc.string({ minLength: 1 }), fc.nat()])('holds for any body', (body, secret, at) => {
    const header = sign(body, [secret], at);
    expect(verify(body, header, [secret], at, 0)).toBe(true);
    expect(verify(Buffer.concat([body, Buffer.from([0])]), header, [secret], at, 0)).toBe('wrong_signature');
  });

  it.each([
    ['of another body', () => check(`t=${AT},v1=${FIRST}`, ['whsec_first'], AT, `${BODY} `)],
    ['of another time', () => check(`t=${AT + 1},v1=${FIRST}`)],
    ['with one digit changed', () => check(`t=${AT},v1=${FIRST.replace(/^8/, '9')}`)],
  ])('%s does not hold', (_what, checked) => {
    expect(checked()).toBe('wrong_signature');
  });

  it.each([
    [AT + 300, true],
    [AT - 300, true],
    [AT + 301, 'outside_tolerance'],
    [AT - 301, 'outside_tolerance'],
  ])('checked at %i is %s', (now, result) => {
    expect(check(`t=${AT},v1=${FIRST}`, ['whsec_first'], now)).toBe(result);
  });

  it.each([
    `v2=abc,t=${AT},v1=${FIRST}`,
    `t=${AT},v0=${SECOND},v1=${FIRST},ed25519=MEUCIQ==`,
    ` t=${AT} , v1=${FIRST} `,
  ])('stands beside other schemes: %s', (header) => {
    expect(check(header)).toBe(true);
  });

  it.each([
    '',
    'v1',
    `t=${AT}`,
    `v1=${FIRST}`,
    `t=,v1=${FIRST}`,
    `t=${AT},v1=`,
    `t=${AT},v1=${FIRST.slice(1)}`,
    `t=${AT},v1=${FIRST}0`,
    `t=${AT},v1=${FIRST.toUpperCase()}`,
    `t=${AT},v1=${'g'.repeat(64)}`,
    `t=${AT},v1=${FIRST},v1=short`,
    `t=${AT},t=${AT},v1=${FIRST}`,
    `t=0${AT},v1=${FIRST}`,
    `t=-${AT},v1=${FIRST}`,
    `t=1e9,v1=${FIRST}`,
    `t=${AT},v1=${FIRST},`,
    `t=${AT};v1=${FIRST}`,
    `t=${AT},${`v1=${FIRST},`.repeat(60)}v1=${FIRST}`,
  ])('is not what %j is', (header) => {
    expect(check(header)).toBe('malformed_header');
  });

  it('needs a secret', () => {
    expect(() => sign(BODY, [], AT)).toThrow(RangeError);
    expect(() => sign(BODY, [''], AT)).toThrow(RangeError);
    expect(() => check(`t=${AT},v1=${FIRST}`, [''])).toThrow(RangeError);
  });
});
