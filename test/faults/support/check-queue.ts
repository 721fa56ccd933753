import type { Asked, PlannedBody } from './event-plan.ts';
import type { QueueSize } from './queues.ts';

/** A planned body, and what its sender knows of its messages. */
export interface SentBody extends PlannedBody {
  /** Those that the queue has acknowledged. */
  readonly messageIds: ReadonlySet<string>;
  /** How many more the queue may have taken: these sends were never answered. */
  readonly unsure: number;
}

/** As the dead-letter queue gives it out. */
export interface Letter {
  readonly body: string;
  /** The message that it was. */
  readonly of: string | null;
  readonly reason: string | null;
}

/** What stands in the journal. */
export interface JournalEntry {
  readonly book: number;
  readonly id: string;
  readonly key: string;
  readonly kind: string;
  /** Of a payment from one book to another. */
  readonly part: string | null;
  readonly postings: readonly { readonly account: string; readonly amount: bigint; readonly posted: bigint }[];
}

export interface QueueWorld {
  readonly sent: readonly SentBody[];
  /** Ascending by height within each book. */
  readonly entries: readonly JournalEntry[];
  /** Accounts without a limit. All others begin with nothing and never go below that. */
  readonly unlimited: readonly string[];
  readonly letters: readonly Letter[];
  readonly left: QueueSize;
}

const CLIENT = 'sqs/';
const TRANSIT = 'transit:';

/**
 * Says everything that is wrong with what came of these events, knowing only what was sent and the rules of bookkeeping.
 * It shares no code with the consumer and the engine.
 */
export function queueFaultsOf(world: QueueWorld): string[] {
  const { sent, left } = world;
  const faults: string[] = [];
  const variants = new Map<string, SentBody[]>();
  for (const body of sent) {
    if (body.id !== null && body.asks !== null) variants.set(body.id, [...(variants.get(body.id) ?? []), body]);
  }
  const { effects, balances } = replay(world, variants, faults);
  for (const id of effects.keys()) if (!variants.has(id)) faults.push(`${id} stands and was not to be done`);
  const expected = new Map<string, bigint>();
  const refused = new Set(sent.filter(({ asks }) => asks === null));
  for (const [id, bodies] of variants) {
    const outcome = outcomeOf(bodies, effects.get(id) ?? []);
    if (typeof outcome === 'string') {
      faults.push(`${id} ${outcome}`);
      continue;
    }
    for (const body of bodies) if (outcome.happened !== null && body !== outcome.happened) refused.add(body);
    for (const [account, amount] of outcome.moved) expected.set(account, (expected.get(account) ?? 0n) + amount);
  }
  for (const account of new Set([...balances.keys(), ...expected.keys()])) {
    const [has, wanted] = [balances.get(account) ?? 0n, expected.get(account) ?? 0n];
    if (!account.startsWith(TRANSIT) && has !== wanted) faults.push(`${account} has ${has} instead of ${wanted}`);
  }
  if (left.visible + left.hidden !== 0) faults.push(`${left.visible} messages are left, and ${left.hidden} hidden`);
  return [...faults, ...letterFaultsOf(world, refused)];
}

type Effects = Map<string, JournalEntry[]>;

/** The entries of each event, and the balance that each account ends with. */
function replay(
  { entries, unlimited }: QueueWorld,
  variants: ReadonlyMap<string, readonly SentBody[]>,
  faults: string[],
): { effects: Effects; balances: Map<string, bigint> } {
  const effects: Effects = new Map();
  const balances = new Map<string, bigint>();
  for (const entry of entries) {
    if (!entry.key.startsWith(CLIENT)) {
      faults.push(`${entry.id} was not asked for by an event`);
      continue;
    }
    const id = entry.key.slice(CLIENT.length);
    effects.set(id, [...(effects.get(id) ?? []), entry]);
    let sum = 0n;
    for (const { account, amount, posted } of entry.postings) {
      sum += amount;
      const balance = (balances.get(account) ?? 0n) + amount;
      balances.set(account, balance);
      if (posted !== balance) faults.push(`${id} says ${account} has ${posted}, and it has ${balance}`);
      const isLimited = !unlimited.includes(account) && !account.startsWith(TRANSIT);
      if (isLimited && balance < 0n) faults.push(`${id} takes ${account} to ${balance}`);
    }
    if (sum !== 0n) faults.push(`${id} is unbalanced`);
    if (entry.kind !== 'rejected') continue;
    for (const { asks } of variants.get(id) ?? []) {
      const { source, amount } = asks!;
      const had = unlimited.includes(source) ? amount : (balances.get(source) ?? 0n);
      if (had >= amount) faults.push(`${id} was rejected, but ${source} had enough`);
    }
  }
  return { effects, balances };
}

interface Outcome {
  /** The body that had the effect; null: it was rejected, and no one can tell which of them it was. */
  readonly happened: SentBody | null;
  readonly moved: ReadonlyMap<string, bigint>;
}

/** What became of the one event that these bodies are; a text: what is wrong with it. */
function outcomeOf(bodies: readonly SentBody[], parts: readonly JournalEntry[]): Outcome | string {
  if (parts.length === 0) return 'is lost';
  if (new Set(parts.map(({ id }) => id)).size > 1) return 'happened more than once';
  const places = parts.map(({ book, part }) => `${book}/${part}`);
  if (new Set(places).size < places.length) return `stands twice: ${places.join(' ')}`;
  const moved = new Map<string, bigint>();
  for (const { account, amount } of parts.flatMap(({ postings }) => postings)) {
    if (!account.startsWith(TRANSIT)) moved.set(account, (moved.get(account) ?? 0n) + amount);
  }
  if (parts.some(({ kind }) => kind === 'rejected')) {
    if (moved.size > 0) return `was rejected and moved ${shown(moved)}`;
    return { happened: bodies.length === 1 ? bodies[0]! : null, moved };
  }
  const happened = bodies.find(({ asks }) => isJust(moved, asks!));
  return happened ? { happened, moved } : `moved ${shown(moved)}`;
}

function isJust(moved: ReadonlyMap<string, bigint>, { source, destination, amount }: Asked): boolean {
  return moved.size === 2 && moved.get(source) === -amount && moved.get(destination) === amount;
}

function shown(moved: ReadonlyMap<string, bigint>): string {
  return [...moved].map(([account, amount]) => `${amount} on ${account}`).join(', ') || 'nothing';
}

/** One letter at least of each message that could not be done, and of no other. */
function letterFaultsOf({ sent, letters }: QueueWorld, refused: ReadonlySet<SentBody>): string[] {
  const faults: string[] = [];
  const lettersOf = new Map<string, Set<string>>();
  const known = new Set(sent.map(({ text }) => text));
  for (const { body, of, reason } of letters) {
    if (!known.has(body)) faults.push(`a dead letter was never sent: ${body}`);
    if (of === null || reason === null) faults.push(`a dead letter does not say why or of which message: ${body}`);
    const messages = lettersOf.get(body) ?? new Set();
    lettersOf.set(body, messages.add(of ?? 'unknown'));
  }
  for (const body of sent) {
    const { text, messageIds, unsure } = body;
    const found = lettersOf.get(text) ?? new Set();
    if (!refused.has(body)) {
      if (found.size > 0) faults.push(`a dead letter was to be done: ${text}`);
      continue;
    }
    for (const id of messageIds) if (!found.has(id)) faults.push(`there is no dead letter of ${id}: ${text}`);
    const others = [...found].filter((id) => !messageIds.has(id));
    if (others.length > unsure) faults.push(`dead letters of messages that were not sent, ${others}: ${text}`);
  }
  return faults;
}
