/** An increment is verified as if all had been: it finds what that finds, and nothing where that finds nothing. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Break } from '../../src/verification/breaks.ts';
import type { AuditPort, EarlierPort, Verified } from '../../src/verification/ports.ts';
import { type VerifyReport, verify, verifyIncrement } from '../../src/verification/verify.ts';
import { type Model, NOW } from './model.ts';
import { earlierOf, MemoryVerifications } from './model-earlier.ts';
import { MUTATIONS } from './mutations.ts';
import { RandomLedger, randomFrom } from './random-model.ts';
import { StoredModel } from './stored-model.ts';

const HOUR_MS = 3_600_000;
/** Claims that stay pending are no matter here. */
const PATIENT = 1_000 * HOUR_MS;

function optionsAt(now: number) {
  return { clock: { now: () => now }, claimAgeMsMax: PATIENT };
}

function portOf(model: Model): AuditPort & EarlierPort {
  return { ...new StoredModel(model).port(true), ...earlierOf(model) };
}

function increment(model: Model, memory: MemoryVerifications, now: number): Promise<VerifyReport> {
  return verifyIncrement(portOf(model), memory, optionsAt(now));
}

/** Kinds and places. A snapshot that is too old is told of where the account was posted to first since, or last before. */
function placesOf(breaks: readonly Break[]): string[] {
  return breaks
    .map(({ kind, book, height, entry, account }) => {
      const at = kind === 'wrong_account_snapshot' ? '' : height;
      return JSON.stringify([kind, book, at, entry, account]);
    })
    .sort();
}

/** All that was verified, but for what is allowed to change later. `claims`: how many there were. */
function verifiedPartOf(model: Model, { books }: Verified, claims: number): unknown {
  const tips = new Map(books.map((book) => [book.book, book]));
  return structuredClone({
    blocks: books.map(({ book, height }) => model.blocks(book).filter((block) => block.height <= height)),
    claims: model.claims.slice(0, claims).map(({ state: _, ...claim }) => claim),
    rows: model.rows.filter(({ book, height }) => height <= (tips.get(book)?.listed ?? -1)),
    accounts: model.accounts.map(({ snapshot, book, ...account }) => {
      return { ...account, ...(snapshot && snapshot.height <= tips.get(book)!.height ? { snapshot } : {}) };
    }),
  });
}

/**
 * What has to be found. Rows of earlier payments are compared only where what was added since settles them, and balances kept
 * with accounts only of those that it posts to: where a posting is gone, that is what is found.
 */
function due(breaks: readonly Break[], listed: ReadonlyMap<number, number>): Break[] {
  const isOnlySnapshots = breaks.every(({ kind }) => kind === 'wrong_account_snapshot' || kind === 'in_suspense');
  return breaks.filter(({ kind, book, height }) => {
    if (kind === 'wrong_read_model') return height! > (listed.get(book!) ?? 0);
    return kind !== 'wrong_account_snapshot' || isOnlySnapshots;
  });
}

const growth = [fc.integer(), fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 8 })] as const;

/** A ledger that was verified, and has grown since; null: it was not sound, as something is in suspense. */
async function grown(seed: number, before: number, since: number) {
  const ledger = new RandomLedger(seed);
  const { model } = ledger;
  const memory = new MemoryVerifications();
  ledger.grow(before, NOW - 1_000);
  ledger.writeBehind();
  const first = await verify(portOf(model), { ...optionsAt(NOW), memory });
  if (!first.ok) return null;
  const claims = model.claims.length;
  ledger.grow(since, NOW + HOUR_MS - 1_000);
  ledger.writeBehind();
  ledger.leaveOpen(NOW + HOUR_MS - 1_000);
  return { model, memory, claims };
}

describe('an increment', () => {
  test('that is sound is found to be so, and what is in suspense is told', async () => {
    let increments = 0;
    await fc.assert(
      fc.asyncProperty(...growth, async (seed, before, since) => {
        const ledger = await grown(seed, before, since);
        if (ledger === null) return;
        increments++;
        const full = await verify(portOf(ledger.model), optionsAt(NOW + HOUR_MS));
        const report = await increment(ledger.model, ledger.memory, NOW + HOUR_MS);
        expect(report.mode).toBe('incremental');
        expect(placesOf(report.breaks)).toEqual(placesOf(full.breaks));
        expect(full.breaks.filter(({ kind }) => kind !== 'in_suspense')).toEqual([]);
      }),
      { numRuns: 200 },
    );
    expect(increments).toBeGreaterThan(100);
  });

  test('by increment, as many as there are, is as all at once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 6 }),
        async (seed, parts) => {
          const ledger = new RandomLedger(seed);
          const memory = new MemoryVerifications();
          const counted = { entries: 0, postings: 0 };
          for (const [i, groups] of parts.entries()) {
            ledger.grow(groups, NOW + i * HOUR_MS - 1_000);
            ledger.writeBehind();
            const now = NOW + i * HOUR_MS;
            const full = await verify(portOf(ledger.model), optionsAt(now));
            const report = await increment(ledger.model, memory, now);
            expect(placesOf(report.breaks)).toEqual(placesOf(full.breaks));
            if (!report.ok) return;
            for (const { entries, postings } of report.books) {
              counted.entries += entries;
              counted.postings += postings;
            }
            expect(memory.latest?.books.map(({ height, hash }) => [height, hash])).toEqual(
              full.books.map(({ height, hash }) => [height, hash]),
            );
            const inAll = full.books.reduce((sum, { entries }) => sum + entries, 0);
            expect(counted.entries).toBe(inAll);
          }
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe('a fault in an increment is found as by a full run, at the same place', () => {
  test.each(Object.entries(MUTATIONS))('%s', async (_name, mutate) => {
    let faults = 0;
    await fc.assert(
      fc.asyncProperty(...growth, async (seed, before, since) => {
        const ledger = await grown(seed, before, since);
        if (ledger === null) return;
        const { model, memory, claims } = ledger;
        const untouched = verifiedPartOf(model, memory.latest!, claims);
        const store = new StoredModel(model);
        if (mutate(model, randomFrom(seed ^ 0x5bd1e995)) === null) return;
        if (JSON.stringify(plain(untouched)) !== JSON.stringify(plain(verifiedPartOf(model, memory.latest!, claims))))
          return;
        faults++;
        const port = { ...store.port(true), ...earlierOf(model) };
        const listed = new Map(memory.latest!.books.map(({ book, listed: height }) => [book, height]));
        const full = await verify(port, optionsAt(NOW + HOUR_MS));
        const report = await verifyIncrement(port, memory, optionsAt(NOW + HOUR_MS));
        const found = placesOf(report.breaks);
        const expected = placesOf(due(full.breaks, listed));
        expect(found).toEqual(expect.arrayContaining(expected));
        expect(placesOf(full.breaks)).toEqual(expect.arrayContaining(found));
        expect(report.ok).toBe(full.ok);
      }),
      { numRuns: 200 },
    );
    expect(faults).toBeGreaterThan(10);
  });
});

/** As JSON can tell. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? `${one}n` : one)));
}
