import type { Entry, Leg, Settlement, StoredBlock } from '../ledger/types.ts';

const HASH_BYTES = 32;

/**
 * Throws unless all of a block that was decoded is of the types that blocks have. BSON that was tampered with can be read
 * as something else, such as a date in place of an amount, and nobody who reads a block expects that.
 */
export function assertBlock(block: StoredBlock): void {
  const { book, height, prev, hash, term, at, kind, postingsBelow, entries } = block;
  const numbers = Object.entries({ book, height, term, at, postingsBelow });
  for (const [name, value] of numbers) assert(Number.isSafeInteger(value), name);
  assert(isHash(prev), 'prev');
  assert(isHash(hash), 'hash');
  assert(typeof kind === 'string', 'kind');
  for (const entry of entries) assertEntry(entry);
}

/** The same of an entry. */
export function assertEntry(entry: Entry): void {
  const { id, key, kind, span, postings, rejection, legs, settlement, changed, details } = entry;
  assertTexts({ id, key, kind });
  assertLegs(postings, 'postings');
  for (const { posted, held } of postings) assert(isInt64(posted) && isInt64(held), 'a balance of a posting');
  if (legs !== undefined) assertLegs(legs, 'legs');
  if (settlement !== undefined) assertSettlement(settlement);
  if (span !== undefined) {
    assertTexts({ part: span.part });
    for (const books of [span.debits, span.credits]) assert(isArrayOf(books, Number.isSafeInteger), 'books');
    if (span.legs !== undefined) assertLegs(span.legs, 'legs');
  }
  if (rejection !== undefined) {
    const { reason, kind: asked, follows } = rejection;
    assertTexts({ reason, asked, follows: follows ?? '' });
    assertLegs(rejection.legs, 'legs');
  }
  if (changed !== undefined) {
    const { account, status, minBalance, maxBalance } = changed;
    assertTexts({ account, status });
    for (const limit of [minBalance, maxBalance]) assert(limit === null || isInt64(limit), 'limit');
  }
  const { reference, description, metadata } = details;
  assertTexts({ reference: reference ?? '', description: description ?? '' });
  if (metadata === undefined) return;
  assert(isObject(metadata), 'metadata');
  assertTexts(metadata);
}

function assertSettlement({ id, account, held, captured, refunded, expiresAt }: Settlement): void {
  assertTexts({ id, account: account ?? '' });
  assert([held, captured, refunded].every(isInt64), 'settlement');
  assert(expiresAt === undefined || Number.isSafeInteger(expiresAt), 'expiresAt');
}

function assertLegs(legs: readonly Leg[], name: string): void {
  assert(Array.isArray(legs), name);
  for (const leg of legs) {
    assert(isObject(leg), name);
    const { account, amount, currency } = leg;
    assert(typeof account === 'string' && isInt64(amount) && typeof currency === 'string', name);
  }
}

function assertTexts(values: Readonly<Record<string, unknown>>): void {
  for (const name in values) assert(typeof values[name] === 'string', name);
}

function isHash(value: unknown): boolean {
  return value instanceof Uint8Array && value.length === HASH_BYTES;
}

function isInt64(value: unknown): boolean {
  return typeof value === 'bigint';
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

function isArrayOf(value: unknown, isOne: (one: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(isOne);
}

function assert(isRight: boolean, name: string): asserts isRight {
  if (!isRight) throw new TypeError(`${name} is not of its type`);
}
