import type { Db } from 'mongodb';
import { JOURNAL } from '../../src/mongo/journal.ts';
import type { Acknowledged } from './messages.ts';

export interface Checked {
  readonly acknowledged: number;
  /** Of these, in the journal once, under the id that was answered. */
  readonly once: number;
  /** In the journal, and its caller was told nothing clear. */
  readonly unacknowledged: number;
  /** Of all payments: in the journal more than once. */
  readonly repeated: number;
}

interface Entries {
  readonly entries: readonly { readonly id: string; readonly key: string }[];
}

/** Reads the journal through once, keeping some bytes a payment, and counts the entries of each. */
export async function checkJournal(db: Db, { tails, isAcknowledged }: Acknowledged): Promise<Checked> {
  const entries = new Uint8Array(tails.length);
  const isAsAnswered = new Uint8Array(tails.length);
  const projection = { 'entries.id': 1, 'entries.key': 1 };
  for await (const block of db.collection<Entries>(JOURNAL).find({}, { projection })) {
    for (const { id, key } of block.entries ?? []) {
      const payment = Number(key.slice(key.indexOf('/') + 1));
      if (!(payment < tails.length)) throw new Error(`nobody sent the payment ${key} that is in the journal`);
      entries[payment] = Math.min(255, entries[payment]! + 1);
      if (Number.parseInt(id.slice(-8), 16) === tails[payment]) isAsAnswered[payment] = 1;
    }
  }
  const count = (isCounted: (payment: number) => boolean) => {
    let sum = 0;
    for (let payment = 0; payment < tails.length; payment++) if (isCounted(payment)) sum++;
    return sum;
  };
  return {
    acknowledged: count((payment) => isAcknowledged[payment] === 1),
    once: count((payment) => isAcknowledged[payment] === 1 && entries[payment] === 1 && isAsAnswered[payment] === 1),
    unacknowledged: count((payment) => isAcknowledged[payment] === 0 && entries[payment]! > 0),
    repeated: count((payment) => entries[payment]! > 1),
  };
}
