/** Notices: how they are kept, and the events that are made of them. */
import { createHash } from 'node:crypto';
import type { AskedBy } from '../payments/callers.ts';
import type { Standing } from './outbox.ts';
import type { EventView, Notice, NoticeSubject, StoredNotice } from './types.ts';

/** A block holds so many notices at most. */
const PER_BLOCK_MAX = 500;
/** Of the object as JSON: a block of them fits into a document, and each into a message of SQS. */
const OBJECT_BYTES_MAX = 24 * 1024;
const GROUP = 'reconciliation';
/** SQS takes groups of 128 visible characters of ASCII. */
const SOURCE = /^[!-~]{1,113}$/;
const NOBODY: AskedBy = { requestId: null, idempotencyKey: null };

/**
 * What is to be kept of a batch, block by block. Always the same of the same. Throws a RangeError for what could not be
 * sent, as it would hold up all that comes after it.
 */
export function blocksOf(batch: string, notices: readonly Notice[]): StoredNotice[][] {
  const stored = notices.map((notice, index) => {
    checkSendable(notice);
    return { id: noticeId(batch, index), ...notice };
  });
  const count = Math.ceil(stored.length / PER_BLOCK_MAX);
  return Array.from({ length: count }, (_, n) => stored.slice(n * PER_BLOCK_MAX, (n + 1) * PER_BLOCK_MAX));
}

/** The event of a notice. */
export function noticeEvent({ entry, height, at, index }: Standing<StoredNotice>): EventView {
  const { id, type, object, askedBy = NOBODY } = entry;
  return {
    id,
    type,
    createdAt: new Date(at),
    transactionId: object.object === 'break' ? (object.resolution?.transaction_id ?? null) : null,
    askedBy,
    group: object.source === null ? GROUP : `${GROUP}:${object.source}`,
    accounts: [],
    book: null,
    height,
    index,
    subject: subjectOf(object),
  };
}

function subjectOf(object: Notice['object']): NoticeSubject {
  return object.object === 'break'
    ? { kind: 'break', break: object }
    : { kind: 'reconciliation', reconciliation: object };
}

function checkSendable({ object }: Notice): void {
  if (object.source !== null && !SOURCE.test(object.source)) {
    throw new RangeError(`the source of ${object.id} must be 1 to 113 visible characters of ASCII`);
  }
  const bytes = Buffer.byteLength(JSON.stringify(object));
  if (bytes > OBJECT_BYTES_MAX) {
    throw new RangeError(`${object.id} has ${bytes} bytes as JSON, and may have ${OBJECT_BYTES_MAX} at most`);
  }
}

/** A UUID of version 8 (made as its maker likes), from SHA-256: never that of a transaction, which are of version 7. */
function noticeId(batch: string, index: number): string {
  const bytes = createHash('sha256').update(`notice\0${batch}\0${index}`).digest().subarray(0, 16);
  bytes[6] = 0x80 | (bytes[6]! & 0x0f);
  bytes[8] = 0x80 | (bytes[8]! & 0x3f);
  const uuid = bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  return `evt_${uuid}`;
}
