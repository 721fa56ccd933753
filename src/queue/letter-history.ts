/** How a message became a dead letter, each time that it did: carried on when it is sent back to its queue. */
import { z } from 'zod';

const ENTRIES_MAX = 10;
/** As it is written. Ten usual entries take 2,200. */
const BYTES_MAX = 3_000;
const READ_CHARACTERS_MAX = 8_192;

const word = z.string().regex(/^[a-z0-9_]{1,64}$/);
const entry = z.strictObject({
  reason: word,
  code: word,
  /** When it was dead-lettered. */
  at: z.iso.datetime(),
  receive_count: z.int().min(0),
  /** In the queue that it came from. */
  message_id: z.string().regex(/^[\x21-\x7e]{1,128}$/),
  /** When it was sent to that queue; null: the server did not say. */
  sent_at: z.iso.datetime().nullable(),
});
const history = z.array(entry);

export type PastLetter = Readonly<z.output<typeof entry>>;

/** Newest last. Empty when there is none, and when it is not as this service writes it. */
export function parseHistory(text: string | null | undefined): readonly PastLetter[] {
  if (!text || text.length > READ_CHARACTERS_MAX) return [];
  try {
    return history.parse(JSON.parse(text)).slice(-ENTRIES_MAX);
  } catch {
    return [];
  }
}

/** As an attribute: the newest ones, as many as there is room for. */
export function writeHistory(entries: readonly PastLetter[]): string {
  let kept = entries.slice(-ENTRIES_MAX);
  let text = JSON.stringify(kept);
  while (kept.length > 1 && Buffer.byteLength(text) > BYTES_MAX) {
    kept = kept.slice(1);
    text = JSON.stringify(kept);
  }
  return text;
}
