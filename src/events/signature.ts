/**
 * How what is sent to others is signed: `t=<unix seconds>,v1=<hex>[,v1=<hex>…]`, each `v1` the HMAC-SHA256 of
 * `<t>.<body>` with one secret. While a secret is replaced there are two, and whoever knows either can verify.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

const HEADER_LENGTH_MAX = 4_096;
const SECONDS = /^(?:0|[1-9][0-9]{0,11})$/;
const DIGEST = /^[0-9a-f]{64}$/;

/**
 * Why a signature does not hold: the header is none, no secret makes any of its signatures, or it was made too long ago
 * or too far ahead.
 */
export type SignatureFault = 'malformed_header' | 'wrong_signature' | 'outside_tolerance';

/** The header for a body that is sent at a time. Throws a RangeError without a secret, or for an empty one. */
export function sign(body: string | Uint8Array, secrets: readonly string[], atSeconds: number): string {
  if (secrets.length === 0) throw new RangeError('there is no secret to sign with');
  const signatures = secrets.map((secret) => `v1=${digest(body, secret, String(atSeconds)).toString('hex')}`);
  return [`t=${atSeconds}`, ...signatures].join(',');
}

/**
 * True: one of the signatures is made with one of the secrets, not longer ago or further ahead than tolerated. The body
 * must be as it was received, to the byte. Signatures of other schemes are passed over.
 */
export function verify(
  body: string | Uint8Array,
  header: string,
  secrets: readonly string[],
  nowSeconds: number,
  toleranceSeconds: number,
): true | SignatureFault {
  const parsed = parse(header);
  if (parsed === null) return 'malformed_header';
  const { at, signatures } = parsed;
  const isSigned = secrets.some((secret) => {
    const expected = digest(body, secret, at);
    return signatures.some((signature) => timingSafeEqual(signature, expected));
  });
  if (!isSigned) return 'wrong_signature';
  return Math.abs(nowSeconds - Number(at)) <= toleranceSeconds ? true : 'outside_tolerance';
}

function digest(body: string | Uint8Array, secret: string, at: string): Buffer {
  if (secret === '') throw new RangeError('a secret must not be empty');
  return createHmac('sha256', secret).update(`${at}.`).update(body).digest();
}

/** Null when it is no header of this kind: without one time, without a signature, or with one that cannot be. */
function parse(header: string): { at: string; signatures: Buffer[] } | null {
  if (header.length > HEADER_LENGTH_MAX) return null;
  const times: string[] = [];
  const signatures: Buffer[] = [];
  for (const part of header.split(',')) {
    const [, scheme, value] = /^\s*([a-z0-9]+)=(\S+)\s*$/.exec(part) ?? [];
    if (scheme === undefined || value === undefined) return null;
    if (scheme === 't') times.push(value);
    if (scheme !== 'v1') continue;
    if (!DIGEST.test(value)) return null;
    signatures.push(Buffer.from(value, 'hex'));
  }
  const [at] = times;
  if (at === undefined || times.length > 1 || !SECONDS.test(at) || signatures.length === 0) return null;
  return { at, signatures };
}
