/** Who vouches for an artifact: Ed25519 over its id and the digest of its archive. */
import { createPrivateKey, createPublicKey, type KeyObject, sign as signBytes, verify } from 'node:crypto';
import { ArtifactError, type ArtifactRef, signedText } from './artifact.ts';

const KEYS_MAX = 100;
const KEY_BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g;
const HOW_TO_MAKE = 'make a pair with: openssl genpkey -algorithm ed25519';

/** @throws ArtifactError `untrusted` when keys are given, and none of them signed it */
export function requireSignature(ref: ArtifactRef, trusted: readonly KeyObject[]): void {
  if (trusted.length === 0) return;
  if (ref.signature === undefined) {
    throw new ArtifactError('untrusted', `${ref.id} has no signature, and only signed artifacts are installed here`);
  }
  const text = Buffer.from(signedText(ref));
  const signature = Buffer.from(ref.signature, 'base64');
  if (trusted.some((key) => verify(null, text, key, signature))) return;
  throw new ArtifactError('untrusted', `the signature of ${ref.id} is by none of the keys that are trusted here`);
}

/** In Base64. @throws RangeError when the key is not a private Ed25519 key */
export function sign(privateKey: KeyObject, ref: Pick<ArtifactRef, 'id' | 'sha256'>): string {
  if (privateKey.type !== 'private') throw new RangeError('only a private key can sign');
  requireEd25519(privateKey, 'the key');
  return signBytes(null, Buffer.from(signedText(ref)), privateKey).toString('base64');
}

/** Of a text with any number of them in PEM. @throws RangeError that says which is not one, or that there is none */
export function readPublicKeys(pem: string): KeyObject[] {
  const blocks = [...pem.matchAll(KEY_BLOCK)];
  if (blocks.length === 0) throw new RangeError(`there is no public key in PEM: ${HOW_TO_MAKE}`);
  if (blocks.length > KEYS_MAX) throw new RangeError(`there are more than ${KEYS_MAX} keys`);
  return blocks.map(([block, label], index) => {
    const which = `key ${index + 1}`;
    if (label !== 'PUBLIC KEY') {
      throw new RangeError(`${which} is a ${label}: write the PUBLIC KEY that openssl pkey -pubout makes of it`);
    }
    return parsed(() => createPublicKey(block), which);
  });
}

/** @throws RangeError */
export function readPrivateKey(pem: string): KeyObject {
  return parsed(() => createPrivateKey(pem), 'the private key');
}

function parsed(parse: () => KeyObject, which: string): KeyObject {
  let key: KeyObject;
  try {
    key = parse();
  } catch (error) {
    throw new RangeError(`${which} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  requireEd25519(key, which);
  return key;
}

function requireEd25519(key: KeyObject, which: string): void {
  if (key.asymmetricKeyType === 'ed25519') return;
  throw new RangeError(`${which} is of type ${key.asymmetricKeyType}, not Ed25519: ${HOW_TO_MAKE}`);
}
