import { gunzipSync, gzipSync } from 'node:zlib';

/** Value of the attribute `content_encoding` of a body that is gzip in base64. */
export const GZIP = 'gzip';

export function compress(text: string): string {
  return gzipSync(text).toString('base64');
}

/** Null: it is no gzip in base64, no UTF-8, or more than `bytesMax`. */
export function decompress(body: string, bytesMax: number): string | null {
  try {
    const bytes = gunzipSync(Buffer.from(body, 'base64'), { maxOutputLength: bytesMax });
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}
