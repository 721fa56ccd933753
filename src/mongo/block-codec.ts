import { createHash } from 'node:crypto';
import type { Binary, Long } from 'mongodb';
import { accountHash } from '../ledger/account-hash.ts';
import type { EncodedBlock } from '../ledger/ports.ts';
import type {
  AccountStatus,
  Block,
  BlockKind,
  ChangedAccount,
  CommandKind,
  Details,
  Entry,
  EntryPart,
  Leg,
  RejectionReason,
  Settlement,
  Span,
  StoredBlock,
} from '../ledger/types.ts';
import { BsonWriter, type Field, field, positions } from './bson-writer.ts';

/**
 * A block as a document:
 * `{_id: {book, height}, prev, hash, term, at, kind, entries: [{id, key, kind, postings: [{account, amount, currency,
 * posted, held}], rejection?, reference?, description?, metadata?}], postingsBelow, era, touched: [...],
 * lastEntry: [...]}`.
 *
 * An entry may also hold `legs`, `settlement: {id, account?, held, captured, refunded, expiresAt?}` and
 * `changed: {account, status, min, max}`.
 *
 * The last three are for looking accounts up: {@link eraOf}, the {@link accountHash} of each account posted to, and for
 * each of these the index of the last entry that posts to it. `subjects`, behind them where there are any, is what the
 * block settles or changes: ids of commands, and `account:` with the id of an account.
 *
 * `hash` is the SHA-256 over the document's own BSON with the 32 bytes of `hash` set to zero. So it covers every byte,
 * the position and the hash of the block below included, and can be checked without decoding anything.
 */
export interface BlockDocument {
  _id: { book: number; height: bigint };
  prev: Binary;
  hash: Binary;
  term: number;
  at: Date;
  kind: BlockKind;
  entries: EntryDocument[];
  postingsBelow: bigint;
  era: number;
  touched: bigint[];
  lastEntry: number[];
  subjects?: string[];
}

export interface SettlementDocument {
  id: string;
  account?: string;
  held: bigint;
  captured: bigint;
  refunded: bigint;
  expiresAt?: Date;
}

/** Absent: no limit. */
export interface ChangedDocument {
  account: string;
  status: AccountStatus;
  min?: bigint;
  max?: bigint;
}

export interface EntryDocument extends DetailsFields {
  id: string;
  key: string;
  kind: Entry['kind'];
  span?: { part: EntryPart; debits: number[]; credits: number[]; legs?: LegDocument[] };
  postings: { account: string; amount: bigint; currency: string; posted: bigint; held: bigint }[];
  rejection?: { reason: RejectionReason; kind: CommandKind; legs: LegDocument[]; follows?: string; home?: true };
  legs?: LegDocument[];
  settlement?: SettlementDocument;
  changed?: ChangedDocument;
}

export interface LegDocument {
  account: string;
  amount: bigint;
  currency: string;
}

export interface DetailsFields {
  reference?: string;
  description?: string;
  metadata?: Record<string, string>;
}

/** Some 5 MB of index. */
const POSTINGS_PER_ERA = 2 ** 18;

const ZERO_HASH = new Uint8Array(32);
const HASH_BYTES = 32;

/** The headers of a block's fields. */
export const FIELDS = {
  id: field('document', '_id'),
  book: field('int32', 'book'),
  height: field('int64', 'height'),
  prev: field('binary', 'prev'),
  hash: field('binary', 'hash'),
  term: field('int32', 'term'),
  at: field('date', 'at'),
  kind: field('string', 'kind'),
  entries: field('array', 'entries'),
  entryId: field('string', 'id'),
  key: field('string', 'key'),
  postings: field('array', 'postings'),
  account: field('string', 'account'),
  amount: field('int64', 'amount'),
  currency: field('string', 'currency'),
  posted: field('int64', 'posted'),
  held: field('int64', 'held'),
  span: field('document', 'span'),
  part: field('string', 'part'),
  debits: field('array', 'debits'),
  credits: field('array', 'credits'),
  rejection: field('document', 'rejection'),
  reason: field('string', 'reason'),
  legs: field('array', 'legs'),
  reference: field('string', 'reference'),
  description: field('string', 'description'),
  metadata: field('document', 'metadata'),
  postingsBelow: field('int64', 'postingsBelow'),
  era: field('int32', 'era'),
  touched: field('array', 'touched'),
  lastEntry: field('array', 'lastEntry'),
  subjects: field('array', 'subjects'),
  follows: field('string', 'follows'),
  home: field('boolean', 'home'),
  settlement: field('document', 'settlement'),
  captured: field('int64', 'captured'),
  refunded: field('int64', 'refunded'),
  expiresAt: field('date', 'expiresAt'),
  changed: field('document', 'changed'),
  status: field('string', 'status'),
  min: field('int64', 'min'),
  max: field('int64', 'max'),
} as const;
const F = FIELDS;
const stringAt = positions('string');
const documentAt = positions('document');
const int32At = positions('int32');
const int64At = positions('int64');

const writer = new BsonWriter();

export function encodeBlock(block: Block): EncodedBlock {
  const w = writer;
  const start = w.begin();
  const id = w.open(F.id);
  w.int32(F.book, block.book);
  w.safeInt64(F.height, block.height);
  w.end(id);
  w.binary(F.prev, block.prev);
  const hashAt = w.binary(F.hash, ZERO_HASH);
  w.int32(F.term, block.term);
  w.date(F.at, block.at);
  w.string(F.kind, block.kind);
  const entries = w.open(F.entries);
  for (let i = 0; i < block.entries.length; i++) writeEntry(w, i, block.entries[i]!);
  w.end(entries);
  writeIndexed(w, block);
  w.end(start);
  const bytes = w.bytes();
  const hash = createHash('sha256').update(bytes).digest();
  bytes.set(hash, hashAt);
  return { block, hash, bytes };
}

function writeIndexed(w: BsonWriter, block: Block): void {
  w.safeInt64(F.postingsBelow, block.postingsBelow);
  w.int32(F.era, eraOf(block));
  const lastEntries = lastEntriesIn(block);
  const touched = w.open(F.touched);
  let index = 0;
  for (const hash of lastEntries.keys()) w.safeInt64(int64At(index++), hash);
  w.end(touched);
  const last = w.open(F.lastEntry);
  index = 0;
  for (const entry of lastEntries.values()) w.int32(int32At(index++), entry);
  w.end(last);
  const subjects = subjectsOf(block);
  // The index holds only blocks that have the field: most settle and change nothing.
  if (subjects.length === 0) return;
  const start = w.open(F.subjects);
  for (let i = 0; i < subjects.length; i++) w.string(stringAt(i), subjects[i]!);
  w.end(start);
}

/** How an account stands in `subjects`. No id of a command begins like this. */
export function accountSubject(account: string): string {
  return `account:${account}`;
}

/** What the entries of a block settle or change, each once. */
export function subjectsOf({ entries }: Pick<Block, 'entries'>): string[] {
  const subjects = new Set<string>();
  for (const { settlement, changed } of entries) {
    if (settlement) subjects.add(settlement.id);
    if (changed) subjects.add(accountSubject(changed.account));
  }
  return [...subjects];
}

/** The era of a block: so many postings are looked up in one. Within a book it never goes back. */
export function eraOf({ postingsBelow }: Pick<Block, 'postingsBelow'>): number {
  return Math.floor(postingsBelow / POSTINGS_PER_ERA);
}

/** By the hash of each account posted to: which entry does so last. */
function lastEntriesIn({ entries }: Block): Map<number, number> {
  const last = new Map<number, number>();
  for (let i = 0; i < entries.length; i++) {
    for (const { account } of entries[i]!.postings) last.set(accountHash(account), i);
  }
  return last;
}

function writeEntry(w: BsonWriter, index: number, entry: Entry): void {
  const start = w.open(documentAt(index));
  w.string(F.entryId, entry.id);
  w.string(F.key, entry.key);
  w.string(F.kind, entry.kind);
  if (entry.span) writeSpan(w, entry.span);
  const postings = w.open(F.postings);
  for (let i = 0; i < entry.postings.length; i++) {
    const posting = entry.postings[i]!;
    const one = w.open(documentAt(i));
    writeLegFields(w, posting);
    w.int64(F.posted, posting.posted);
    w.int64(F.held, posting.held);
    w.end(one);
  }
  w.end(postings);
  if (entry.rejection) {
    const rejection = w.open(F.rejection);
    w.string(F.reason, entry.rejection.reason);
    w.string(F.kind, entry.rejection.kind);
    writeLegs(w, entry.rejection.legs);
    if (entry.rejection.follows) w.string(F.follows, entry.rejection.follows);
    if (entry.rejection.home) w.boolean(F.home, true);
    w.end(rejection);
  }
  if (entry.legs) writeLegs(w, entry.legs);
  if (entry.settlement) writeSettlement(w, F.settlement, entry.settlement);
  if (entry.changed) writeChanged(w, entry.changed);
  writeDetails(w, entry.details);
  w.end(start);
}

export function writeSettlement(w: BsonWriter, header: Field, settlement: Settlement): void {
  const start = w.open(header);
  w.string(F.entryId, settlement.id);
  if (settlement.account !== undefined) w.string(F.account, settlement.account);
  w.int64(F.held, settlement.held);
  w.int64(F.captured, settlement.captured);
  w.int64(F.refunded, settlement.refunded);
  if (settlement.expiresAt !== undefined) w.date(F.expiresAt, settlement.expiresAt);
  w.end(start);
}

function writeChanged(w: BsonWriter, { account, status, minBalance, maxBalance }: ChangedAccount): void {
  const start = w.open(F.changed);
  w.string(F.account, account);
  w.string(F.status, status);
  if (minBalance !== null) w.int64(F.min, minBalance);
  if (maxBalance !== null) w.int64(F.max, maxBalance);
  w.end(start);
}

function writeSpan(w: BsonWriter, span: Span): void {
  const start = w.open(F.span);
  w.string(F.part, span.part);
  writeBooks(w, F.debits, span.debits);
  writeBooks(w, F.credits, span.credits);
  if (span.legs) writeLegs(w, span.legs);
  w.end(start);
}

function writeBooks(w: BsonWriter, header: Field, books: readonly number[]): void {
  const start = w.open(header);
  for (let i = 0; i < books.length; i++) w.int32(int32At(i), books[i]!);
  w.end(start);
}

function writeLegFields(w: BsonWriter, leg: Leg): void {
  w.string(F.account, leg.account);
  w.int64(F.amount, leg.amount);
  w.string(F.currency, leg.currency);
}

/** The field `legs`, as in rejections and claims. */
export function writeLegs(w: BsonWriter, legs: readonly Leg[]): void {
  const start = w.open(F.legs);
  for (let i = 0; i < legs.length; i++) {
    const one = w.open(documentAt(i));
    writeLegFields(w, legs[i]!);
    w.end(one);
  }
  w.end(start);
}

/** The fields `reference`, `description` and `metadata`, as far as they are there. */
export function writeDetails(w: BsonWriter, { reference, description, metadata }: Details): void {
  if (reference !== undefined) w.string(F.reference, reference);
  if (description !== undefined) w.string(F.description, description);
  if (metadata === undefined) return;
  const start = w.open(F.metadata);
  for (const name of Object.keys(metadata)) w.string(field('string', name), metadata[name]!);
  w.end(start);
}

export function decodeDetails(from: DetailsFields): Details {
  const { reference, description, metadata } = from;
  return {
    ...(reference === undefined ? {} : { reference }),
    ...(description === undefined ? {} : { description }),
    ...(metadata === undefined ? {} : { metadata }),
  };
}

export function decodeSettlement({ expiresAt, ...settlement }: SettlementDocument): Settlement {
  return expiresAt === undefined ? settlement : { ...settlement, expiresAt: expiresAt.getTime() };
}

function decodeChanged({ account, status, min, max }: ChangedDocument): ChangedAccount {
  return { account, status, minBalance: min ?? null, maxBalance: max ?? null };
}

export function decodeEntry(document: EntryDocument): Entry {
  const { id, key, kind, span, postings, rejection, legs, settlement, changed } = document;
  return {
    id,
    key,
    kind,
    ...(span ? { span } : {}),
    postings,
    ...(rejection ? { rejection } : {}),
    ...(legs ? { legs } : {}),
    ...(settlement ? { settlement: decodeSettlement(settlement) } : {}),
    ...(changed ? { changed: decodeChanged(changed) } : {}),
    details: decodeDetails(document),
  };
}

export function decodeBlock(document: BlockDocument): StoredBlock {
  return {
    book: document._id.book,
    height: toNumber(document._id.height),
    prev: document.prev.buffer,
    hash: document.hash.buffer,
    term: document.term,
    at: document.at.getTime(),
    kind: document.kind,
    postingsBelow: toNumber(document.postingsBelow),
    entries: document.entries.map(decodeEntry),
  };
}

/** Would the index find the block by just the accounts that it posts to? Null: it would; else why not, for people. */
export function indexFault(document: BlockDocument, block: Block): string | null {
  const era = eraOf(block);
  if (document.era !== era) return `it belongs to era ${era} and is indexed under ${document.era}`;
  const wanted = lastEntriesIn(block);
  const { touched, lastEntry } = document;
  const isSame = touched.length === wanted.size && lastEntry.length === wanted.size;
  if (!isSame || !touched.every((hash, i) => wanted.get(Number(hash)) === lastEntry[i])) {
    return 'it is not indexed by the accounts that it posts to';
  }
  const subjects = document.subjects ?? [];
  const settled = subjectsOf(block);
  if (subjects.length === settled.length && settled.every((subject, i) => subjects[i] === subject)) return null;
  return 'it is not indexed by what it settles and changes';
}

/** Recomputes the hash of a block from its bytes as they are stored. Null: they have no hash field where one belongs. */
export function hashOfBytes(bytes: Uint8Array): Uint8Array | null {
  const header = Buffer.from(F.hash);
  // It follows `_id` and `prev`, which have fixed lengths, so it is found near the front.
  const at = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 256)).indexOf(header);
  if (at < 0) return null;
  const from = at + header.length + 5;
  return createHash('sha256')
    .update(bytes.subarray(0, from))
    .update(ZERO_HASH)
    .update(bytes.subarray(from + HASH_BYTES))
    .digest();
}

/** Heights are Int64 in the journal and safe integers in memory. */
export function toNumber(value: bigint | number | Long): number {
  return Number(value);
}
