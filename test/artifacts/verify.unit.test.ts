import { execFile } from 'node:child_process';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { type ArtifactError, type ArtifactRef, artifactRef } from '../../src/artifacts/artifact.ts';
import { readPrivateKey, readPublicKeys, requireSignature, sign } from '../../src/artifacts/verify.ts';

const run = promisify(execFile);
const ours = generateKeyPairSync('ed25519');
const others = generateKeyPairSync('ed25519');
const REF = { id: 'no.kvitt:kvitt:1.2.0', sha256: 'a'.repeat(64) };
const signed = { ...REF, signature: sign(ours.privateKey, REF) };

const pem = (key: KeyObject) =>
  key.export({ format: 'pem', type: key.type === 'private' ? 'pkcs8' : 'spki' }).toString();

function isTrusted(ref: ArtifactRef, trusted: readonly KeyObject[]): boolean {
  try {
    requireSignature(ref, trusted);
    return true;
  } catch (error) {
    expect((error as ArtifactError).code).toBe('untrusted');
    return false;
  }
}

describe('an artifact that is signed', () => {
  it('is trusted when one of the keys signed it', () => {
    expect(artifactRef.parse(signed)).toEqual(signed);
    expect(isTrusted(signed, [ours.publicKey])).toBe(true);
    expect(isTrusted(signed, [others.publicKey, ours.publicKey])).toBe(true);
  });

  it('is not trusted by another key, as another version, with another digest, or without its signature', () => {
    expect(isTrusted(signed, [others.publicKey])).toBe(false);
    expect(isTrusted({ ...signed, id: 'no.kvitt:kvitt:1.2.1' }, [ours.publicKey])).toBe(false);
    expect(isTrusted({ ...signed, sha256: 'b'.repeat(64) }, [ours.publicKey])).toBe(false);
    expect(isTrusted(REF, [ours.publicKey])).toBe(false);
  });

  it('is not trusted by a signature of which any bit is another one, or that has another length', () => {
    const signature = Buffer.from(signed.signature, 'base64');
    for (let bit = 0; bit < 512; bit += 1) {
      const changed = Buffer.from(signature);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      expect(isTrusted({ ...signed, signature: changed.toString('base64') }, [ours.publicKey])).toBe(false);
    }
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.alloc(64),
      signature.subarray(1),
      Buffer.concat([signature, Buffer.of(0)]),
    ]) {
      expect(isTrusted({ ...signed, signature: bytes.toString('base64') }, [ours.publicKey])).toBe(false);
    }
  });

  it('is not asked for a signature when no key is trusted', () => {
    expect(isTrusted(REF, [])).toBe(true);
  });
});

describe('keys', () => {
  it('are read of one text, whatever else is written there', () => {
    const text = `# ours\n${pem(ours.publicKey)}\r\n\n# of others\n${pem(others.publicKey)}`;
    expect(readPublicKeys(text).map(pem)).toEqual([pem(ours.publicKey), pem(others.publicKey)]);
    expect(
      isTrusted({ ...REF, signature: sign(readPrivateKey(pem(ours.privateKey)), REF) }, readPublicKeys(text)),
    ).toBe(true);
  });

  it('that openssl makes are read', async () => {
    const made = (await run('sh', ['-c', 'openssl genpkey -algorithm ed25519'])).stdout;
    const published = (await run('sh', ['-c', 'echo "$0" | openssl pkey -pubout', made])).stdout;
    expect(isTrusted({ ...REF, signature: sign(readPrivateKey(made), REF) }, readPublicKeys(published))).toBe(true);
  });

  it('of another kind are refused, with what to do', () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 });
    const x25519 = generateKeyPairSync('x25519');
    const text = `${pem(ours.publicKey)}${pem(rsa.publicKey)}`;
    expect(() => readPublicKeys(text)).toThrow('key 2 is of type rsa, not Ed25519: make a pair with: openssl genpkey');
    expect(() => readPublicKeys(pem(x25519.publicKey))).toThrow('key 1 is of type x25519');
    expect(() => readPrivateKey(pem(rsa.privateKey))).toThrow('of type rsa');
    expect(() => sign(rsa.privateKey, REF)).toThrow('of type rsa');
    expect(() => sign(ours.publicKey, REF)).toThrow('only a private key');
  });

  it('that are private are not taken for public ones', () => {
    expect(() => readPublicKeys(pem(ours.privateKey))).toThrow('key 1 is a PRIVATE KEY: write the PUBLIC KEY');
  });

  it('that are none are refused', () => {
    expect(() => readPublicKeys('')).toThrow('no public key in PEM');
    expect(() => readPublicKeys(pem(ours.publicKey).replace('-----END', '----END'))).toThrow('no public key');
    expect(() => readPublicKeys('-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----')).toThrow(
      'key 1 cannot be read',
    );
    expect(() => readPrivateKey('nothing')).toThrow('the private key cannot be read');
    expect(() => readPublicKeys(pem(ours.publicKey).repeat(101))).toThrow('more than 100');
  });
});
