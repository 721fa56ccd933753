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

/** Which part of which batch a block is. */
export interface BatchPart {
  readonly batch: string;
  /** From 0. */
  readonly part: number;
}

/**
 * A batch, cut into what is kept in one block each. Always the same of the same. Throws a RangeError for what could not be
 * sent, as it would hold up all that comes after it.
 */
export function partsOf(notices: readonly Notice[]): Notice[][] {
  for (const notice of notices) checkSendable(notice);
  const count = Math.ceil(notices.length / PER_BLOCK_MAX);
  return Array.from({ length: count }, (_, n) => notices.slice(n * PER_BLOCK_MAX, (n + 1) * PER_BLOCK_MAX));
}

/** The notices of a block as they are kept; `at` is its time in ms. Always the same of the same. */
export function storedOf(which: BatchPart, at: number, notices: readonly Notice[]): StoredNotice[] {
  return notices.map((notice, index) => ({ id: noticeId(which, at, index), ...notice }));
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

/**
 * A UUID of version 8 (made as its maker likes), never that of a transaction, which are of version 7. It grows as they do:
 * the time in ms, then the place in the block; the rest is of the SHA-256 of where it stands in its batch.
 */
function noticeId({ batch, part }: BatchPart, at: number, index: number): string {
  const bytes = createHash('sha256').update(`${part}\0${index}\0${batch}`).digest().subarray(0, 16);
  bytes.writeUIntBE(at, 0, 6);
  bytes.writeUInt16BE(0x8000 | index, 6);
  bytes[8] = 0x80 | (bytes[8]! & 0x3f);
  const uuid = bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  return `evt_${uuid}`;
}
