/** Processes that are killed while they reconcile: whoever goes on ends as one that nobody killed. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Db } from 'mongodb';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { migrateUp } from '../../src/mongo/migrate.ts';
import type { Break, KeptMatch, Reconciliation } from '../../src/reconciliation/types.ts';
import { dayText } from '../../src/statements/statement.ts';
import { anAccount, aPayment } from '../support/commands.ts';
import { useDatabase } from '../support/database.ts';
import { addAccounts, startEngine } from '../support/engine.ts';
import { Kvitt, kvitt, useBuild } from './support/kvitt.ts';

const KILLS = 20;
const EARLY_KILLS = 4;
const EARLY_MS_MAX = 600;
/** So many more are killed soon after they have begun, so that none of them is done before. */
const PROMPT_KILLS = 8;
const PROMPT_MS_MAX = 100;
/** Of the time that it takes: most are killed before they are done. */
const WORKED_SHARE_MAX = 0.6;
const FIRST = 2_200;
const SECOND = 4_600;
const DAY_MS = 86_400_000;

useBuild();
const sound = useDatabase();
const killed = useDatabase();
let folder: string;
let day: number;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kvitt-crash-'));
  await migrateUp(sound.db);
  await migrateUp(killed.db);
  await addAccounts(sound.db, [anAccount('world:EUR', { minBalance: null }), anAccount('shop')]);
  await pay(0, FIRST);
  day = Math.floor(Date.now() / DAY_MS);
  const { code, stdout } = await reconcile(sound.name, await fileOf('first.csv', firstStatement()));
  expect([code, stdout.includes('breaks')]).toEqual([1, true]);
  await pay(FIRST, SECOND);
  // The same ledger, the same breaks.
  for (const { name, type } of await sound.db.listCollections().toArray()) {
    if (type === 'collection' && !name.startsWith('system.')) {
      await sound.db
        .collection(name)
        .aggregate([{ $out: { db: killed.name, coll: name } }])
        .toArray();
    }
  }
}, 120_000);
afterAll(() => rm(folder, { recursive: true }));

const referenceOf = (i: number) => `INV-${(100_000_007 + i * 12_345_677) % 900_000_000}`;
const amountOf = (i: number) => 1_000 + 13 * i;

async function pay(from: number, until: number): Promise<void> {
  const engine = startEngine(sound.db);
  const command = (i: number) =>
    aPayment('world:EUR', 'shop', BigInt(amountOf(i)), { details: { reference: referenceOf(i) } });
  const numbers = Array.from({ length: until - from }, (_, i) => from + i);
  for (let i = 0; i < numbers.length; i += 500) {
    await Promise.all(numbers.slice(i, i + 500).map((n) => engine.submit(command(n))));
  }
  await engine.stop();
}

const csvOf = (lines: readonly (readonly [i: number, more: number])[], on: number) =>
  `reference,amount,currency,date\n${lines
    .map(([i, more]) => `${referenceOf(i)},${((amountOf(i) + more) / 100).toFixed(2)},EUR,${dayText(on)}`)
    .join('\n')}\n`;

/** Of the first payments some are there, some with another amount, some not yet. */
const firstStatement = () =>
  csvOf(
    Array.from({ length: FIRST }, (_, i) => [i, i % 11 === 0 ? 1 : 0] as const).filter(([i]) => i % 4 !== 0),
    day,
  );

/** What was missing, what was wrong, the next payments, and what nobody has. */
function secondStatement(): string {
  const lines: [number, number][] = [];
  for (let i = 0; i < FIRST; i++) if (i % 4 === 0 || i % 11 === 0) lines.push([i, i % 12 === 0 ? 2 : 0]);
  for (let i = FIRST; i < SECOND; i++) if (i % 9 !== 0) lines.push([i, 0]);
  for (let i = SECOND; i < SECOND + 2_000; i++) lines.push([i, 0]);
  return csvOf(lines, day + 1);
}

async function fileOf(name: string, csv: string): Promise<string> {
  await writeFile(join(folder, name), csv);
  return join(folder, name);
}

const environmentOf = (database: string) => ({
  MONGODB_URI: sound.uri,
  MONGODB_DATABASE: database,
  LOG_LEVEL: 'fatal',
});
const reconcile = (database: string, file: string) => kvitt(['reconcile', file, '--json'], environmentOf(database));

/** All that is kept, but for times and ids that were made by chance. */
async function stateOf(db: Db) {
  const reconciliations = await db
    .collection<Omit<Reconciliation, 'id'> & { _id: string }>('reconciliations')
    .find()
    .sort({ _id: 1 })
    .toArray();
  const names = new Map<string, string>(reconciliations.map(({ _id }, i) => [_id, `reconciliation ${i}`]));
  const breaks = await db.collection<Omit<Break, 'id'> & { _id: string }>('breaks').find().toArray();
  for (const { _id, line, item } of breaks) {
    // Of what it opened: by its line or item.
    const about = line === null ? item!.id : `${names.get(line.reconciliation)} ${line.line}`;
    names.set(_id, `break of ${about}`);
  }
  const named = (value: unknown): unknown =>
    JSON.parse(
      JSON.stringify(value, (_, one: unknown) => (typeof one === 'bigint' ? `${one}` : one)).replaceAll(
        /(?:rec|brk)_[0-9a-f-]+/g,
        (id) => names.get(id) ?? id,
      ),
    );
  const sorted = (all: readonly unknown[]) => all.map((one) => JSON.stringify(named(one))).sort();
  const matches = await db
    .collection<{ matches: KeptMatch[]; reconciliation: string; first: number }>('reconciliation_matches')
    .find()
    .sort({ reconciliation: 1, first: 1 })
    .toArray();
  const notices = await db
    .collection<{ notices: { type: string; object: { id: string; status: string } }[] }>('notices')
    .find()
    .toArray();
  return {
    reconciliations: named(
      reconciliations.map(({ status, step, ok, external, failure, file, asOf }) => [
        status,
        step,
        ok,
        external,
        failure,
        file,
        asOf,
      ]),
    ),
    breaks: sorted(
      breaks.map(({ openedAt: _, updatedAt: __, resolution, ...one }) => ({
        ...one,
        resolution: { ...resolution, at: 0 },
      })),
    ),
    matches: named(matches.map(({ reconciliation, first, matches: some }) => [reconciliation, first, some])),
    // That it was given up each five times is told as well.
    notices: sorted(
      notices
        .flatMap((block) => block.notices)
        .filter(({ object }) => object.status !== 'failed')
        .map(({ type, object }) => [type, object.id]),
    ),
  };
}

/** How often somebody has begun to work on what is running now. */
async function attempts(): Promise<string> {
  const running = await killed.db.collection('reconciliations').findOne({ status: 'running' });
  return `${running?._id} ${running?.attempts}`;
}

/** Waits until it has begun to work, and for up to so long more; or until it has ended. */
async function begun(process: Kvitt, before: string, msMax: number): Promise<void> {
  while (!process.hasEnded && (await attempts()) === before) await sleep(10);
  await sleep(msMax * Math.random());
}

it('a statement of thousands of lines, over and over', async () => {
  const file = await fileOf('second.csv', secondStatement());
  const started = performance.now();
  const undisturbed = await reconcile(sound.name, file);
  const took = performance.now() - started;
  expect(undisturbed.code).toBe(1);
  const startedToList = performance.now();
  await kvitt(['reconciliations', 'list'], environmentOf(sound.name));
  const workMs = Math.max(100, took - (performance.now() - startedToList));
  let kills = 0;
  let ended: number | null = null;
  const steps = new Set<string | null>();
  while (kills < KILLS) {
    const before = await attempts();
    const process = new Kvitt(['reconcile', file, '--json'], environmentOf(killed.name));
    // Some while they start or read the file, all others once they are at work.
    if (kills < EARLY_KILLS) await sleep(Math.min(0.3 * took, EARLY_MS_MAX) * Math.random());
    else if (kills < EARLY_KILLS + PROMPT_KILLS) await begun(process, before, PROMPT_MS_MAX);
    else await begun(process, before, WORKED_SHARE_MAX * workMs);
    if (process.hasEnded) {
      ended = (await process.ended()).code;
      // 2: it was begun too often, and is tried anew by the next one.
      if (ended !== 2) break;
      continue;
    }
    process.kill('SIGKILL');
    await process.ended();
    kills++;
    const running = await killed.db.collection('reconciliations').findOne({ status: 'running' });
    if (running !== null) steps.add(running.step as string);
    // As is so after a while.
    await killed.db.collection('leases').deleteMany({});
  }
  while (ended === null || ended === 2) ended = (await reconcile(killed.name, file)).code;
  expect(ended).toBe(1);
  expect(kills).toBeGreaterThanOrEqual(PROMPT_KILLS);
  expect(steps.size).toBeGreaterThan(0);
  const [end, expected] = [await stateOf(killed.db), await stateOf(sound.db)];
  expect(end.reconciliations).toEqual(expected.reconciliations);
  expect(end.matches).toEqual(expected.matches);
  expect(end.breaks).toEqual(expected.breaks);
  expect(end.notices).toEqual(expected.notices);
  expect(JSON.parse((await reconcile(killed.name, file)).stdout)).toMatchObject({ report: { status: 'succeeded' } });
}, 150_000);
