/** Ways to change a single thing of a sound ledger, at random. */
import type { AuditedAccount, PaymentRow } from '../../src/verification/ports.ts';
import type { Model } from './model.ts';

type Random = (below: number) => number;
/** Changes one value; answers what it changed, or null when there is nothing to change. */
export type Mutation = (model: Model, random: Random) => string | null;

interface Leaf {
  readonly path: string;
  readonly value: unknown;
  set(value: unknown): void;
}

/** Every value within, except where the last name of its path is one of `except`. */
function leavesOf(root: object, except: readonly string[] = [], path = ''): Leaf[] {
  return Object.entries(root).flatMap(([name, value]) => {
    if (except.includes(name) || value === undefined) return [];
    const here = `${path}.${name}`;
    const isNode =
      typeof value === 'object' && value !== null && !(value instanceof Date) && !(value instanceof Uint8Array);
    if (isNode) return leavesOf(value, except, here);
    return [{ path: here, value, set: (changed) => Object.assign(root, { [name]: changed }) }];
  });
}

function changeOne(leaves: readonly Leaf[], random: Random): string | null {
  if (leaves.length === 0) return null;
  const leaf = leaves[random(leaves.length)]!;
  // The limit of an account is null where there is none.
  leaf.set(leaf.value === null && leaf.path.endsWith('Balance') ? 7n : changed(leaf.value, random));
  return leaf.path;
}

function changed(value: unknown, random: Random): unknown {
  if (typeof value === 'bigint') return value + (random(2) === 0 ? 1n : -1n) * BigInt(1 + random(1_000));
  if (typeof value === 'number') return value + 1 + random(10);
  if (typeof value === 'string') return `${value}x`;
  if (value === null) return 'x';
  if (value instanceof Date) return new Date(value.getTime() + 1 + random(1_000));
  if (value instanceof Uint8Array) {
    const bytes = Uint8Array.from(value);
    bytes[random(bytes.length)]! ^= 1 << random(8);
    return bytes;
  }
  throw new Error(`no way to change ${String(value)}`);
}

export function pick<T>(all: readonly T[], random: Random): T | null {
  return all.length === 0 ? null : all[random(all.length)]!;
}

const blocksOf = (model: Model) => [...model.books.values()].flat();
const withEntries = (model: Model) => blocksOf(model).filter(({ entries }) => entries.length > 0);
const covered =
  (model: Model) =>
  ({ book, settledHeight }: Pick<PaymentRow, 'book' | 'settledHeight'>) =>
    settledHeight <= model.checkpoints.get(book)!;

export const MUTATIONS: Readonly<Record<string, Mutation>> = {
  'a value of a block': (model, random) => {
    const block = pick(blocksOf(model), random)!;
    // The place of a document is its id, by which it is read.
    return changeOne(leavesOf(block, ['book', 'height']), random);
  },
  'a value of an entry, with all hashes made to fit': (model, random) => {
    const block = pick(withEntries(model), random);
    const path = block && changeOne(leavesOf(block.entries), random);
    if (block) model.forge(block.book);
    return path;
  },
  'a value of what an entry settles or changes, with all hashes made to fit': (model, random) => {
    const block = pick(withEntries(model), random);
    const told = block?.entries.flatMap(({ settlement, changed }) => [settlement, changed].filter((one) => one)) ?? [];
    const path = changeOne(leavesOf(told), random);
    if (block) model.forge(block.book);
    return path;
  },
  'a dropped settlement or change, with all hashes made to fit': (model, random) => {
    const told = blocksOf(model).flatMap(({ book, entries }) =>
      entries.filter(({ settlement, changed }) => settlement ?? changed).map((entry) => ({ book, entry })),
    );
    const chosen = pick(told, random);
    if (chosen === null) return null;
    delete chosen.entry.settlement;
    delete chosen.entry.changed;
    model.forge(chosen.book);
    return chosen.entry.id;
  },
  'a value of a command that has its entry': (model, random) => {
    const standing = new Map(blocksOf(model).flatMap(({ entries }) => entries.map((entry) => [entry.id, entry])));
    const commands = model.claims.flatMap((claim) => claim.commands).filter(({ id }) => standing.has(id));
    const rejected = commands.filter(({ id }) => standing.get(id)!.rejection);
    const posted = commands.filter((command) => !rejected.includes(command) && !command.hold);
    const holds = commands.filter((command) => !rejected.includes(command) && command.hold);
    // The fingerprint is of the request, which is not kept. How something stood at first counts only for what is the
    // first to follow it, and that a capture is the last only where something is left.
    const except = ['fingerprint', 'held', 'captured', 'refunded', 'isLast'];
    // A rejection does not say by how much or in what it was to settle or change something.
    const untold = leavesOf(rejected, [...except, 'hold', 'follows', 'change']);
    // Of a hold the entry says what is taken and from whom, and not yet who gets it.
    const held = leavesOf(holds, [...except, 'legs']).concat(leavesOf(holds.map(({ legs }) => legs[0]!)));
    return changeOne([...leavesOf(posted, except), ...untold, ...held], random);
  },
  'a value of a row of the read model': (model, random) =>
    // Of a row that says that it knows more than was replayed nothing can be said.
    changeOne(leavesOf(model.rows.filter(covered(model)), ['settledHeight']), random),
  'a dropped block': (model, random) => {
    const block = pick(withEntries(model), random);
    if (block === null) return null;
    const blocks = model.blocks(block.book);
    blocks.splice(blocks.indexOf(block), 1);
    // A young claim may be open: then nobody was told that the entry stands.
    for (const claim of model.claims) claim.state = 'done';
    return `block ${block.height} of book ${block.book}`;
  },
  'two blocks in the other order, with all hashes made to fit': (model, random) => {
    const block = pick(withEntries(model), random);
    const next = block && model.blocks(block.book)[block.height];
    if (!block || !next || next.entries.length === 0) return null;
    const touched = new Set(block.entries.flatMap(({ postings }) => postings.map(({ account }) => account)));
    if (!next.entries.some(({ postings }) => postings.some(({ account }) => touched.has(account)))) return null;
    [block.entries, next.entries] = [next.entries, block.entries];
    model.forge(block.book);
    return `blocks ${block.height} and ${next.height} of book ${block.book}`;
  },
  'a dropped entry, with all hashes made to fit': (model, random) => {
    const block = pick(withEntries(model), random);
    if (block === null) return null;
    const [dropped] = block.entries.splice(random(block.entries.length), 1);
    for (const claim of model.claims) claim.state = 'done';
    model.forge(block.book);
    return dropped!.id;
  },
  'a doubled entry, with all hashes made to fit': (model, random) => {
    const block = pick(withEntries(model), random);
    if (block === null) return null;
    block.entries.push(pick(block.entries, random)!);
    model.forge(block.book);
    return block.entries.at(-1)!.id;
  },
  'a dropped claim': (model, random) => {
    const i = random(Math.max(1, model.claims.length));
    if (!model.claims[i] || (model.claims[i].state === 'pending' && i === model.claims.length - 1)) return null;
    return model.claims.splice(i, 1)[0]!.id;
  },
  'a balance kept with an account': (model, random) => {
    const account = pick(
      model.accounts.filter(({ snapshot }) => snapshot),
      random,
    );
    if (!account) return null;
    const { posted, held, height } = account.snapshot!;
    const by = random(2) === 0 ? 1n : -1n;
    account.snapshot = random(2) === 0 ? { posted: posted + by, held, height } : { posted, held: held + by, height };
    return account.id;
  },
  'a dropped balance of an account': (model, random) => {
    const isCovered = ({ snapshot, book }: AuditedAccount) =>
      snapshot !== undefined && snapshot.height <= model.snapshotsUpTo.get(book)!;
    const account = pick(model.accounts.filter(isCovered), random);
    delete account?.snapshot;
    return account?.id ?? null;
  },
  'a dropped row of the read model': (model, random) => {
    const row = pick(model.rows.filter(covered(model)), random);
    model.rows = model.rows.filter((one) => one !== row);
    return row?.transactionId ?? null;
  },
};
