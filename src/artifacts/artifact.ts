/** What an artifact is called, and how it is known to be the right one. */
import { z } from 'zod';

const PART = '[A-Za-z0-9][A-Za-z0-9._-]{0,127}';
const ID = new RegExp(`^(${PART}):(${PART}):(${PART})$`);

export interface ArtifactId {
  readonly group: string;
  readonly name: string;
  readonly version: string;
}

/** `group:name:version`. No part is `.` or `..`, or could otherwise be a path. */
export const artifactId = z
  .string()
  .regex(ID, 'must be group:name:version, each of letters, digits, ., _ and -, such as no.kvitt:kvitt:1.2.0');

/** @throws RangeError when it is not `group:name:version` */
export function parseArtifactId(text: string): ArtifactId {
  const match = ID.exec(text);
  if (match === null) throw new RangeError(`"${text}" is not an artifact: write group:name:version`);
  return { group: match[1]!, name: match[2]!, version: match[3]! };
}

/** An archive, a .tar.gz or a .zip, and what proves that it is the right one. */
export const artifactRef = z.strictObject({
  id: artifactId,
  /** Of the archive, in hex. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hex digits'),
  /** Where it is fetched from; without it from other agents. */
  url: z.url({ protocol: /^https?$/ }).optional(),
  /** Ed25519 over what `signedText` makes of id and digest, in Base64. */
  signature: z.base64().length(88).optional(),
});

export type ArtifactRef = Readonly<z.infer<typeof artifactRef>>;

/** What is signed: the digest together with the id, so that a signature of one version is of no use for another. */
export function signedText({ id, sha256 }: Pick<ArtifactRef, 'id' | 'sha256'>): string {
  return `kvitt-artifact-v1\n${id}\n${sha256}\n`;
}

export type ArtifactErrorCode =
  /** Its digest or its signature is not the one expected. */
  | 'untrusted'
  /** It holds what is never unpacked, is damaged, or too large. */
  | 'unacceptable'
  /** It could not be fetched from anywhere. */
  | 'unavailable'
  /** It is in use, and so not removed. */
  | 'in_use'
  /** It is not installed. */
  | 'missing'
  /** Another archive has that id. */
  | 'conflict';

export class ArtifactError extends Error {
  override readonly name = 'ArtifactError';

  constructor(
    readonly code: ArtifactErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
