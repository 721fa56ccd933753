import { isPrimary } from '../ledger/assemble.ts';
import type { Claim, ClaimedCommand } from '../ledger/ports.ts';
import type { Command, Entry } from '../ledger/types.ts';
import type { BreakList } from './breaks.ts';
import { type BookOf, judge, type PlannedEntry, plannedFor, planOf } from './command-plan.ts';
import { differenceOf } from './entry-difference.ts';
import type { Before } from './life-cycle.ts';
import { isOfLifeCycle } from './life-cycle-difference.ts';
import type { OriginCheck } from './origin-check.ts';
import type { AuditPort, ClaimHead, EntryPlace, RawBlock } from './ports.ts';
import type { SystemAccounts } from './system-accounts.ts';

/** Entries or commands that are looked up together. */
const LOOKUP_SIZE = 1_000;
const NONE: readonly never[] = [];
const NOT_KNOWN: Before = {};
const NOTHING_BEFORE: ReadonlyMap<number, Before> = new Map();
const NOT_REPLAYED: Replayed = { above: 0, upTo: 0 };

/** An entry that has to stand; `book` null: nobody can tell where. */
type Expected = Pick<PlannedEntry, 'part'> & { readonly book: number | null };

/** What an increment does before commands are judged. */
export interface BeforeJudging {
  /** Makes sure that their accounts are known. */
  bringAccountsOf(commands: readonly Command[]): Promise<void>;
}

interface Standing {
  readonly entry: Entry;
  readonly height: number;
  readonly before: Before;
}

/** A block whose entries are to be compared, and what those were decided on that settle or change something. */
interface Waiting {
  readonly raw: RawBlock;
  readonly before: ReadonlyMap<number, Before>;
}

/** What an increment does with what was claimed under the keys of its entries, before any of it is judged. */
export interface OnClaims {
  meet(found: readonly ClaimHead[]): void;
  bringAccountsOf(commands: readonly Command[]): Promise<void>;
}

/** From the journal to the claims: every entry was claimed, and says what its command asked for. One a book. */
export class EntriesAgainstClaims {
  #waiting: Waiting[] = [];
  #entries = 0;

  constructor(
    readonly book: number,
    readonly port: Pick<AuditPort, 'findByKeys' | 'asClaimed'>,
    readonly breaks: BreakList,
    readonly bookOf: BookOf,
    readonly onClaims?: OnClaims,
  ) {}

  /**
   * `entries`: how many it has; `before`: what those were decided on that settle or change something, by their index; it is
   * not kept.
   */
  async take(raw: RawBlock, entries: number, before: ReadonlyMap<number, Before>): Promise<void> {
    if (entries === 0) return;
    this.#waiting.push({ raw, before: before.size === 0 ? NOTHING_BEFORE : new Map(before) });
    this.#entries += entries;
    if (this.#entries >= LOOKUP_SIZE) await this.finish();
  }

  async finish(): Promise<void> {
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = [];
    this.#entries = 0;
    const { same, claims } = await this.port.asClaimed(waiting.map(({ raw }) => raw));
    this.onClaims?.meet(claims);
    let batch: Standing[] = [];
    for (const [i, { raw, before }] of waiting.entries()) {
      for (const standing of othersOf(raw, same[i]!, before)) {
        if (batch.push(standing) < LOOKUP_SIZE) continue;
        await this.#lookUp(batch);
        batch = [];
      }
    }
    if (batch.length > 0) await this.#lookUp(batch);
  }

  async #lookUp(batch: readonly Standing[]): Promise<void> {
    const claimed = new Map<string, ClaimedCommand[]>();
    const all = await this.port.findByKeys([...new Set(batch.map(({ entry }) => entry.key))]);
    this.onClaims?.meet(all);
    await this.onClaims?.bringAccountsOf(all.map(({ command }) => command));
    for (const found of all) {
      const known = claimed.get(found.command.key);
      if (known === undefined) claimed.set(found.command.key, [found]);
      else known.push(found);
    }
    for (const standing of batch) this.#check(standing, claimed.get(standing.entry.key) ?? []);
  }

  #check({ entry, height, before }: Standing, claimed: readonly ClaimedCommand[]): void {
    const at = { book: this.book, height, entry: entry.id };
    if (claimed.length === 0) {
      const message = `entry ${entry.id} stands in the journal, but nobody claimed its key`;
      this.breaks.add({
        ...at,
        kind: 'entry_without_claim',
        expected: `a claim of key ${entry.key}`,
        actual: 'none',
        message,
      });
      return;
    }
    if (claimed.length > 1 && isPrimary(entry)) {
      const message = `the key of entry ${entry.id} was claimed ${claimed.length} times`;
      this.breaks.add({ ...at, kind: 'doubled_key', expected: '1', actual: String(claimed.length), message });
    }
    const { command } = claimed.find((one) => one.command.id === entry.id) ?? claimed[0]!;
    const difference = differenceOf({ command, entry, book: this.book, bookOf: this.bookOf, before });
    if (difference === null) return;
    const [what, expected, actual] = difference;
    const message = `entry ${entry.id} has another ${what} than the command that was claimed`;
    this.breaks.add({ ...at, kind: 'entry_differs_from_claim', expected, actual, message });
  }
}

/** The blocks `above < height <= upTo`. */
export interface Replayed {
  readonly above: number;
  readonly upTo: number;
}

interface ClaimCheckOptions {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly claimAgeMsMax: number;
  readonly bookOf: BookOf;
  /** What of each book was replayed into `system`. */
  readonly replayed: ReadonlyMap<number, Replayed>;
  readonly system: SystemAccounts;
  readonly origins: OriginCheck;
  readonly before?: BeforeJudging | undefined;
}

/**
 * From the claims to the journal: every claimed command has all the entries that it leads to, each once, and no other.
 * As long as its claim is young and pending, some may be missing.
 */
export class ClaimsAgainstEntries {
  claims = 0;
  /** Claims that are not done. */
  pending = 0;
  /** When the oldest of these was made, in milliseconds since the epoch; infinity if there is none. */
  pendingSince = Number.POSITIVE_INFINITY;
  #batch: Claim[] = [];
  #commands = 0;

  constructor(
    readonly port: Pick<AuditPort, 'places'>,
    readonly breaks: BreakList,
    readonly options: ClaimCheckOptions,
  ) {}

  async take(claim: Claim): Promise<void> {
    this.claims++;
    if (claim.state === 'pending') {
      this.pending++;
      this.pendingSince = Math.min(this.pendingSince, claim.at);
    }
    this.#batch.push(claim);
    this.#commands += claim.commands.length;
    if (this.#commands >= LOOKUP_SIZE) await this.finish();
  }

  async finish(): Promise<void> {
    const batch = this.#batch;
    this.#batch = [];
    this.#commands = 0;
    const ids = batch.flatMap(({ commands }) => commands.map(({ id }) => id));
    const places = new Map<string, EntryPlace[]>();
    for (let i = 0; i < ids.length; i += LOOKUP_SIZE) {
      for (const place of await this.port.places(ids.slice(i, i + LOOKUP_SIZE))) {
        const known = places.get(place.id);
        if (known === undefined) places.set(place.id, [place]);
        else known.push(place);
      }
    }
    const planned = batch.flatMap(({ commands }) =>
      commands.filter((one) => !isWhole(one, places.get(one.id) ?? NONE)),
    );
    await this.options.before?.bringAccountsOf(planned);
    for (const claim of batch) this.#check(claim, places);
  }

  #check(claim: Claim, places: ReadonlyMap<string, readonly EntryPlace[]>): void {
    let open = 0;
    let firstOpen: Command | null = null;
    const keys = new Set<string>();
    for (const command of claim.commands) {
      keys.add(command.key);
      const standing = places.get(command.id) ?? NONE;
      this.options.origins.take(command, standing);
      const missing = this.#missingOf(command, standing);
      if (missing.length === 0) continue;
      open++;
      firstOpen ??= command;
      if (claim.state === 'done') for (const planned of missing) this.#missing(command, planned);
    }
    if (keys.size < claim.commands.length) {
      const message = `claim ${claim.id} holds a key twice`;
      const [expected, actual] = [String(claim.commands.length), String(keys.size)];
      this.breaks.add({ kind: 'doubled_key', entry: claim.commands[0]!.id, expected, actual, message });
    }
    if (claim.state === 'pending') this.#checkAge(claim, open, firstOpen);
  }

  /** What of a command has to stand and does not; reports what stands and should not. */
  #missingOf(command: Command, standing: readonly EntryPlace[]): readonly Expected[] {
    // Nearly all. Its postings were replayed: were it in the wrong book, its accounts would be too.
    if (isWhole(command, standing)) return NONE;
    this.#checkDoubled(standing);
    const plan = planOf(command, this.options.bookOf);
    // Where entries of unknown accounts belong cannot be told; that they are unknown was told in the replay.
    if (plan === null) return standing.length === 0 ? [{ book: null, part: null }] : NONE;
    const { missing, wrong } = judge(plan, standing);
    for (const place of wrong) this.#wrongPart(place);
    this.#explain(plan, standing);
    return missing;
  }

  /** Entries of a command over several books account for what stands in transit. */
  #explain(plan: readonly PlannedEntry[], standing: readonly EntryPlace[]): void {
    const { replayed, system } = this.options;
    for (const place of standing) {
      const { above, upTo } = replayed.get(place.book) ?? NOT_REPLAYED;
      if (place.part === null || place.rejected || place.height <= above || place.height > upTo) continue;
      for (const { account, amount } of plannedFor(plan, place)?.legs ?? NONE) system.explain(account, amount);
    }
  }

  #missing({ id, key }: Command, { book, part }: Expected): void {
    const what = part === null ? 'entry' : `${part} of book ${book}`;
    const message = `command ${id} was claimed and done, but its ${what} is not in the journal`;
    const expected = `${part === null ? 'an entry' : `a ${part}`} of key ${key}`;
    this.breaks.add({ kind: 'missing_entry', book, entry: id, expected, actual: 'none', message });
  }

  #wrongPart({ id, book, height, part, rejected }: EntryPlace): void {
    const what = `${rejected ? 'a rejected' : 'a'} ${part ?? 'whole entry'}`;
    const message = `entry ${id} stands in book ${book} as ${what}, to which its command does not lead there`;
    this.breaks.add({ kind: 'wrong_part', book, height, entry: id, expected: 'none', actual: what, message });
  }

  #checkDoubled(standing: readonly EntryPlace[]): void {
    if (standing.length < 2) return;
    const groups = new Map<string, EntryPlace[]>();
    for (const place of standing) {
      const group = place.part === null ? 'whole' : `${place.book}/${place.part}`;
      groups.set(group, [...(groups.get(group) ?? NONE), place]);
    }
    for (const group of groups.values()) if (group.length > 1) this.#doubled(group);
  }

  #doubled(places: readonly EntryPlace[]): void {
    const [first, second] = [...places].sort((a, b) => a.book - b.book || a.height - b.height) as [
      EntryPlace,
      EntryPlace,
    ];
    const { id, book, height, part } = second;
    const what = part === null ? `entry ${id}` : `the ${part} of entry ${id}`;
    const message = `${what} stands ${places.length} times, first in book ${first.book} at height ${first.height}`;
    const actual = String(places.length);
    this.breaks.add({ kind: 'doubled_entry', book, height, entry: id, expected: '1', actual, message });
  }

  #checkAge(claim: Claim, open: number, firstOpen: Command | null): void {
    const ageMs = this.options.now - claim.at;
    if (ageMs <= this.options.claimAgeMsMax) return;
    this.breaks.add({
      kind: 'claim_too_old',
      entry: (firstOpen ?? claim.commands[0])?.id ?? null,
      expected: `done within ${this.options.claimAgeMsMax} ms`,
      actual: `pending for ${ageMs} ms`,
      message:
        `claim ${claim.id} was never finished: ${open} of its ${claim.commands.length} commands lack entries; ` +
        'run recovery',
    });
  }
}

/** The entries of a block but for these, decoded. */
function* othersOf(raw: RawBlock, same: ReadonlySet<number>, before: ReadonlyMap<number, Before>): Generator<Standing> {
  const audited = raw.audited();
  if ('unreadable' in audited) return;
  const { entries, height } = audited.block;
  for (let i = 0; i < entries.length; i++) {
    if (!same.has(i)) yield { entry: entries[i]!, height, before: before.get(i) ?? NOT_KNOWN };
  }
}

/** Is the command carried out in one piece, of which nothing more has to be known? */
function isWhole(command: Command, standing: readonly EntryPlace[]): boolean {
  const [only] = standing;
  return standing.length === 1 && only!.part === null && !only!.rejected && !isOfLifeCycle(command);
}
