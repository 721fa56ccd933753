/** Bodies that are compressed, and in base64. */
import { brotliDecompressSync, gunzipSync, gzipSync, inflateSync } from 'node:zlib';

/** Value of the attribute `content_encoding` of what {@link compress} gives. */
export const GZIP = 'gzip';

const DECODERS: Readonly<Record<string, typeof gunzipSync | typeof brotliDecompressSync>> = {
  gzip: gunzipSync,
  deflate: inflateSync,
  br: brotliDecompressSync,
};
/** How gzip begins, in base64. */
const GZIP_BASE64 = 'H4sI';
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

export function compress(text: string): string {
  return gzipSync(text).toString('base64');
}

/**
 * @param encoding As its attribute says; null: none, though gzip is seen by itself.
 * @returns The body itself when it is not compressed.
 * @throws Error that says why it cannot be read: also when it is more than `bytesMax`.
 */
export function decompress(body: string, encoding: string | null, bytesMax: number): string {
  const name = encoding ?? (body.startsWith(GZIP_BASE64) ? GZIP : null);
  if (name === null) return body;
  const decode = Object.hasOwn(DECODERS, name) ? DECODERS[name] : undefined;
  if (decode === undefined) {
    throw new Error(`content_encoding "${name}" is not known; known: ${Object.keys(DECODERS).join(', ')}`);
  }
  const base64 = body.replace(/\s+/g, '');
  if (!BASE64.test(base64)) throw new Error(`a body that is compressed (${name}) must be base64`);
  try {
    const bytes = decode(Buffer.from(base64, 'base64'), { maxOutputLength: bytesMax });
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    const isLarge = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
    const why = isLarge ? `unpacked it is larger than ${bytesMax} bytes` : (error as Error).message;
    throw new Error(`${name}: ${why}`, { cause: error });
  }
}
