import type { Evidence } from './evidence.ts';
import { normalized } from './normal-text.ts';
import type { Pool } from './pool.ts';
import type { RuleOf } from './rules.ts';
import { editsWithin, formOf } from './similarity.ts';

const CONFIDENCE_DAMAGED = [0.96, 0.93, 0.88, 0.8] as const;
const CONFIDENCE_ONLY_ONE = 0.8;
const CONFIDENCE_ALL_ALIKE = 0.7;
/** Pairs of one amount whose references are held against each other: each costs microseconds. */
const COMPARED_MAX = 20_000;
/** Characters of a reference for each that may be damaged. */
const LENGTH_PER_EDIT = 4;

/** The free lines and items of one amount and currency. */
interface Bucket {
  readonly lines: readonly number[];
  readonly items: readonly number[];
}

/**
 * Same amount and currency within the window, where it is plain which of several it is: by a reference that was damaged
 * on the way; because only the one comes into question for the other; or because all of a day are alike and equally many
 * on both sides. A line that bears another reference of the very same form is never matched.
 */
export function matchByAmount(pool: Pool, evidence: Evidence, rule: RuleOf<'amount_date'>): void {
  const windowDays = rule.windowDays ?? pool.windowDays;
  for (const bucket of bucketsOf(pool)) {
    if (rule.edits > 0) pairDamaged(pool, evidence, bucket, windowDays, rule.edits);
    pairOnlyOnes(pool, bucket, windowDays);
    joinAlike(pool, bucket);
  }
}

function* bucketsOf(pool: Pool): Generator<Bucket> {
  const { lines, items } = pool;
  const ours = Uint32Array.from(pool.freeLines()).sort(
    (a, b) =>
      lines.currency(a) - lines.currency(b) || pool.lineAmount(a) - pool.lineAmount(b) || pool.byDayAndLine(a, b),
  );
  const theirs = Uint32Array.from(pool.freeItems()).sort(
    (a, b) =>
      items.currency(a) - items.currency(b) || pool.itemAmount(a) - pool.itemAmount(b) || pool.byTimeAndId(a, b),
  );
  let [i, j] = [0, 0];
  while (i < ours.length && j < theirs.length) {
    const [line, item] = [ours[i]!, theirs[j]!];
    const order =
      lines.currency(line) - items.currency(item) || Math.sign(pool.lineAmount(line) - pool.itemAmount(item));
    if (order < 0) i++;
    else if (order > 0) j++;
    else {
      const bucket: { lines: number[]; items: number[] } = { lines: [], items: [] };
      while (i < ours.length && pool.isAlike(ours[i]!, item)) bucket.lines.push(ours[i++]!);
      while (j < theirs.length && pool.isAlike(line, theirs[j]!)) bucket.items.push(theirs[j++]!);
      yield bucket;
    }
  }
}

interface Damaged {
  readonly line: number;
  readonly item: number;
  readonly edits: number;
}

/** The item whose reference is least damaged in a line, and the line in which it is; not where two are as good. */
function pairDamaged(pool: Pool, evidence: Evidence, bucket: Bucket, windowDays: number, most: number): void {
  if (bucket.lines.length * bucket.items.length > COMPARED_MAX) return;
  const references = bucket.items.map((item) => normalized(pool.items.names.get(pool.items.name(item))));
  const found: Damaged[] = [];
  for (const line of bucket.lines) {
    const text = evidence.textOf(line);
    if (text === '') continue;
    for (const [i, item] of bucket.items.entries()) {
      if (!pool.isWithin(line, item, windowDays)) continue;
      const reference = references[i]!;
      const mostOfIt = Math.min(most, Math.floor(reference.length / LENGTH_PER_EDIT));
      const edits = editsWithin(text, reference, mostOfIt);
      if (edits <= mostOfIt) found.push({ line, item, edits });
    }
  }
  for (let edits = 0; edits <= most; edits++) {
    const left = found.filter((one) => one.edits === edits && pool.isLineFree(one.line) && pool.isItemFree(one.item));
    const times = { ofLine: new Map<number, number>(), ofItem: new Map<number, number>() };
    for (const { line, item } of left) {
      times.ofLine.set(line, (times.ofLine.get(line) ?? 0) + 1);
      times.ofItem.set(item, (times.ofItem.get(item) ?? 0) + 1);
    }
    for (const { line, item } of left) {
      if (times.ofLine.get(line) !== 1 || times.ofItem.get(item) !== 1) continue;
      pool.pair('amount_date', CONFIDENCE_DAMAGED[edits]!, line, item);
    }
  }
}

const MANY = -1;
/** Looked at for one line. What has more within its window is the only one of nobody. */
const SEEN_MAX = 200;

/** What comes into question for one line alone, and it for that line alone. */
function pairOnlyOnes(pool: Pool, bucket: Bucket, windowDays: number): void {
  const lines = bucket.lines.filter((line) => pool.isLineFree(line));
  const items = bucket.items.filter((item) => pool.isItemFree(item));
  const [itemOf, lineOf] = [new Map<number, number>(), new Map<number, number>()];
  /** At each item, how many more lines with too many to look at have it within their window than had the one before. */
  const crowds = new Int32Array(items.length + 1);
  let [first, end] = [0, 0];
  for (const line of lines) {
    const day = pool.lines.day(line);
    while (first < items.length && pool.items.day(items[first]!) < day - windowDays) first++;
    while (end < items.length && pool.items.day(items[end]!) <= day + windowDays) end++;
    if (end - first > SEEN_MAX) {
      crowds[first]!++;
      crowds[end]!--;
      continue;
    }
    for (const item of items.slice(first, end)) {
      if (isAnother(pool, line, item)) continue;
      note(itemOf, line, item);
      note(lineOf, item, line);
    }
  }
  let crowd = 0;
  for (const [at, item] of items.entries()) {
    crowd += crowds[at]!;
    const line = lineOf.get(item) ?? MANY;
    if (crowd === 0 && line !== MANY && itemOf.get(line) === item) {
      pool.pair('amount_date', CONFIDENCE_ONLY_ONE, line, item);
    }
  }
}

function note(partners: Map<number, number>, one: number, other: number): void {
  partners.set(one, partners.has(one) ? MANY : other);
}

/** Does the line bear a reference of the same form as the item's, and another one? */
function isAnother(pool: Pool, line: number, item: number): boolean {
  const { lines, items } = pool;
  const own = lines.name(line);
  const reference = own >= 0 ? items.names.get(own) : lines.details(line)?.references[0];
  return reference !== undefined && formOf(reference) === formOf(items.names.get(items.name(item)));
}

/** All of one day that bear no reference: which is which nobody can tell, and nobody needs to, when they are as many. */
function joinAlike(pool: Pool, bucket: Bucket): void {
  const byDay = new Map<number, { lines: number[]; items: number[] }>();
  const of = (day: number) => {
    const known = byDay.get(day) ?? { lines: [], items: [] };
    byDay.set(day, known);
    return known;
  };
  for (const line of bucket.lines) {
    if (!pool.isLineFree(line)) continue;
    if (pool.lines.name(line) >= 0 || (pool.lines.details(line)?.references.length ?? 0) > 0) return;
    of(pool.lines.day(line)).lines.push(line);
  }
  for (const item of bucket.items) if (pool.isItemFree(item)) of(pool.items.day(item)).items.push(item);
  for (const { lines, items } of byDay.values()) {
    if (lines.length > 0 && lines.length === items.length) {
      pool.join('amount_date', CONFIDENCE_ALL_ALIKE, lines, items);
    }
  }
}
