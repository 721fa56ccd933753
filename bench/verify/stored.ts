/** Verification of a journal in a real replica set: all of it, and each part by itself. */
import type { Db } from 'mongodb';
import { MongoAudit } from '../../src/mongo/audit.ts';
import { BreakList } from '../../src/verification/breaks.ts';
import { ClaimsAgainstEntries, EntriesAgainstClaims } from '../../src/verification/claim-checks.ts';
import { OriginCheck } from '../../src/verification/origin-check.ts';
import type { RawBlock } from '../../src/verification/ports.ts';
import { ReadModelCheck } from '../../src/verification/read-model-check.ts';
import { ReplayTable } from '../../src/verification/replay-table.ts';
import { SettlementTable } from '../../src/verification/settlement-table.ts';
import { SystemAccounts } from '../../src/verification/system-accounts.ts';
import { verify } from '../../src/verification/verify.ts';
import { replayOver } from './replays.ts';

/** By name: milliseconds. */
export type Parts = Readonly<Record<string, number>>;

/** How long each part of a full run takes by itself, over book 0. Throws when something is broken. */
export async function timeParts(db: Db): Promise<Parts> {
  const audit = new MongoAudit(db);
  const [tip] = await audit.tips();
  const { height } = tip!;
  const listed = (await audit.checkpoints('payments')).get(0) ?? 0;
  const breaks = new BreakList(10);
  const times: Record<string, number> = {};
  const time = async (name: string, run: () => Promise<void>) => {
    const began = performance.now();
    await run();
    times[name] = performance.now() - began;
  };
  const each = async (take: (raw: RawBlock) => Promise<void> | void) => {
    for await (const raw of audit.blocks(0, 0, height)) await take(raw);
  };
  const accounts: {
    id: string;
    book: number;
    currency: string;
    minBalance: bigint | null;
    maxBalance: bigint | null;
  }[] = [];
  await time('accounts', async () => {
    for await (const account of audit.accounts()) accounts.push(account);
  });
  await time('read', () => each(() => undefined));
  const replay = replayOver(accounts);
  await time('read and replay', () => each((raw) => replay.take(raw)));
  await time('read, and entries against claims', async () => {
    const claimed = new EntriesAgainstClaims(0, audit, breaks, () => 0);
    await each((raw) => {
      const audited = raw.audited();
      if ('block' in audited) return claimed.take(raw, audited.block.entries.length, new Map());
    });
    await claimed.finish();
  });
  await time('read, and list of payments', async () => {
    const range = { book: 0, above: 0, checkpoint: listed };
    const list = new ReadModelCheck(range, audit.paymentRows(0, 1, listed), breaks);
    await each((raw) => list.take(raw.audited()));
    await list.finish();
    await list.close();
  });
  await time('claims against entries', async () => {
    const [settlements, table] = [new SettlementTable(), new ReplayTable()];
    const check = new ClaimsAgainstEntries(audit, breaks, {
      now: Date.now(),
      claimAgeMsMax: Number.POSITIVE_INFINITY,
      bookOf: () => 0,
      replayed: new Map(),
      system: new SystemAccounts(),
      origins: new OriginCheck(settlements, table, breaks),
    });
    for await (const claim of audit.claims()) await check.take(claim);
    await check.finish();
  });
  await time('all of it', async () => {
    const { ok } = await verify(audit);
    if (!ok || breaks.count + replay.breaks.count > 0) throw new Error('the ledger is not sound');
  });
  return times;
}
