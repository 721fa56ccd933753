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

export function compress(text: string): string {
  return gzipSync(text).toString('base64');
}

/**
 * @param encoding As its attribute says; null: none, though gzip is seen by itself.
 * @returns The body itself when it is not compressed; null: it cannot be read, or is more than `bytesMax`.
 */
export function decompress(body: string, encoding: string | null, bytesMax: number): string | null {
  const name = encoding ?? (body.startsWith(GZIP_BASE64) ? GZIP : null);
  if (name === null) return body;
  const decode = Object.hasOwn(DECODERS, name) ? DECODERS[name] : undefined;
  try {
    const bytes = decode?.(Buffer.from(body, 'base64'), { maxOutputLength: bytesMax });
    return bytes === undefined ? null : new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}
