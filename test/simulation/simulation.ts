import { Engine, type EngineLimits } from '../../src/ledger/engine.ts';
import { isTransient, LedgerError } from '../../src/ledger/errors.ts';
import type { Log } from '../../src/ledger/ports.ts';
import type { Command } from '../../src/ledger/types.ts';
import { aChange, aHold, anAccount, aPayment, following } from '../support/commands.ts';
import { type Faults, MemoryStore, NO_FAULTS } from '../support/memory-store.ts';
import { faultsOf, type Told } from './check-journal.ts';
import { type Member, VirtualCluster } from './virtual-cluster.ts';
import { Host, VirtualWorld } from './virtual-world.ts';

const COMMANDS = 60;
const WORLD_ENDS_MS = 3_600_000;
const LIMITS: Partial<EngineLimits> = {
  claimPatienceMs: 60,
  callerPatienceMs: 5_000,
  recoverAfterMs: 0,
  recoveryIntervalMs: 10,
  blockEntriesMax: 5,
  roundCommandsMax: 15,
  recentOutcomesMax: 10,
  accountsInMemoryMax: 200,
};
/** Nothing that is asked for is answered; some of it happens. */
const AWAY: Faults = { ...NO_FAULTS, latencyMs: 2, answerLost: 0.2, writeLost: 0.8, writeLate: 0.5, readFails: 1 };

/** Who lives in a world, and what befalls them. Probabilities are those at each command. */
export interface Mix {
  readonly faults: Faults;
  readonly engines: number;
  readonly books?: number;
  readonly accounts?: number;
  readonly limits?: Partial<EngineLimits>;
  /** The process that would take the command dies and is replaced, or freezes for some time. */
  readonly dies?: number;
  readonly freezes?: number;
  /** It is stopped and replaced, with little time to end what it has begun. */
  readonly restarts?: number;
  /** Each process's clock is off by up to this, and jumps within it. */
  readonly clockOffMs?: number;
  /** The store is away for up to this, once. */
  readonly awayMs?: number;
  /** Money goes from any book to any other, some of it from and to several accounts at once. */
  readonly crossing?: boolean;
  /** Payments are held, captured, canceled, refunded and reversed; accounts are frozen, limited and closed. */
  readonly lifeCycle?: boolean;
  /** Each book is led by one process; it goes to another with this probability. Messages between them are lost, too. */
  readonly leadersMove?: number;
}

export interface Life {
  /** What is wrong in the end. */
  readonly faults: string[];
  readonly store: MemoryStore;
  /** What the callers were told, in the order of the answers. */
  readonly told: readonly Told[];
}

/** Engines write at once, uncoordinated, over a store that fails as the mix says. The same seed lives the same life. */
export async function lifeOf(seed: number, mix: Mix, makeStore = anyStore): Promise<Life> {
  const world = new VirtualWorld(seed);
  return world.live(new Simulation(world, mix, makeStore(world, mix)).run(), WORLD_ENDS_MS);
}

function anyStore(world: VirtualWorld, { faults }: Mix): MemoryStore {
  return new MemoryStore(world.runtime, faults);
}

const nobodyListens = () => undefined;

/** An engine on a host of its own. */
class Process {
  readonly host: Host;
  readonly engine: Engine;
  readonly member: Member;
  readonly #died: Promise<'died'>;
  #die: () => void = () => {};

  constructor(
    readonly store: MemoryStore,
    readonly mix: Mix,
    world: VirtualWorld,
    onError: Log['error'],
    cluster: VirtualCluster | null,
  ) {
    this.host = new Host(world);
    this.jump();
    this.#died = new Promise((resolve) => {
      this.#die = () => resolve('died');
    });
    this.member = {
      died: this.#died,
      isDead: () => this.host.isDead,
      carryOn: (work) => this.engine.carryOn([work])[0]!,
      lead: (book) => this.engine.lead(book),
      leave: (book) => this.engine.leave(book),
    };
    cluster?.join(this.member);
    const carry = this.host.carry.bind(this.host);
    this.engine = new Engine({
      journal: store.journal(carry),
      claims: store.claimsPort(carry),
      accounts: store.accountsPort(carry),
      log: { debug: nobodyListens, info: nobodyListens, warn: nobodyListens, error: onError },
      runtime: this.host.runtime,
      limits: { ...LIMITS, ...mix.limits },
      ...(cluster ? { leadership: cluster.portOf(() => this.member) } : {}),
    });
    this.engine.start();
  }

  /** Sets the clock anew. */
  jump(): void {
    this.host.clockOffMs = Math.round((this.host.world.random() - 0.5) * 2 * (this.mix.clockOffMs ?? 0));
  }

  die(): void {
    this.host.isDead = true;
    this.#die();
  }

  async ask(command: Command): Promise<Told> {
    const { key } = command;
    try {
      const outcome = await Promise.race([this.host.carry(() => this.engine.submit(command)), this.#died]);
      if (outcome === 'died') return { key, answer: 'unknown' };
      return { key, answer: outcome.entry.kind === 'rejected' ? 'rejected' : 'posted', id: outcome.entry.id };
    } catch (error) {
      if (!(error instanceof LedgerError)) throw error;
      if (error.code === 'overloaded') {
        await this.host.world.runtime.sleep(10);
        return this.ask(command);
      }
      const isUnknown = error.code === 'outcome_unknown' || error.code === 'idempotency_key_reused';
      return { key, answer: isUnknown ? 'unknown' : isTransient(error.code) ? 'nothing written' : 'refused' };
    }
  }
}

class Simulation {
  readonly #told: Told[] = [];
  readonly #stopping: Promise<void>[] = [];
  /** Payments and transactions that may be followed, and those that are known to stand. */
  readonly #made = new Map<string, Command>();
  readonly #posted: Command[] = [];
  /** What engines hold for an error happens in no sound world. */
  readonly #errors: string[] = [];
  readonly #books: number;
  readonly #accounts: number;
  readonly #processes: Process[];
  readonly #cluster: VirtualCluster | null;

  constructor(
    readonly world: VirtualWorld,
    readonly mix: Mix,
    readonly store: MemoryStore,
  ) {
    this.#books = mix.books ?? 1;
    this.#accounts = mix.accounts ?? 6;
    this.#openAccounts();
    this.#cluster =
      mix.leadersMove === undefined ? null : new VirtualCluster(world, this.#books, mix.faults.answerLost);
    this.#processes = Array.from({ length: mix.engines }, () => this.#start());
  }

  async run(): Promise<Life> {
    const { store } = this;
    const away = this.#goAway();
    for (let book = 0; book < this.#books; book++) void this.#cluster?.move(book, this.#any().member);
    await Promise.all(Array.from({ length: COMMANDS }, (_, n) => this.#call(n)));
    await away;
    store.faults = { ...NO_FAULTS, latencyMs: this.mix.faults.latencyMs };
    await this.#recovered();
    await Promise.all([...this.#stopping, ...this.#processes.map(({ engine }) => engine.stop())]);
    const leaks = this.#processes.flatMap(({ engine }) => {
      const { inFlight, inFlightBytes } = engine.stats();
      return inFlight === 0 && inFlightBytes === 0 ? [] : [`${inFlight} commands, ${inFlightBytes} bytes in flight`];
    });
    const blocks = [...store.blocks.values()];
    const claims = [...store.claims.values()];
    const found = faultsOf({ blocks, claims, accounts: [...store.accounts.values()], told: this.#told });
    return { faults: [...this.#errors, ...leaks, ...found, ...this.#expiredForNoReason()], store, told: this.#told };
  }

  #start(): Process {
    return new Process(this.store, this.mix, this.world, (_, message) => this.#errors.push(message), this.#cluster);
  }

  #openAccounts(): void {
    const { accounts } = this.store;
    for (let book = 0; book < this.#books; book++) {
      accounts.set(`world${book}`, anAccount(`world${book}`, { book, minBalance: null }));
    }
    for (let i = 0; i < this.#accounts; i++) {
      // Some can take only so much: what comes from another book and does not fit goes to suspense.
      const maxBalance = this.mix.crossing && i % 4 === 3 ? 60n : null;
      accounts.set(`a${i}`, anAccount(`a${i}`, { book: i % this.#books, maxBalance }));
    }
  }

  #pick(n: number): number {
    return Math.floor(this.world.random() * n);
  }

  #any(): Process {
    return this.#processes[this.#pick(this.#processes.length)]!;
  }

  async #call(n: number): Promise<void> {
    const { random, runtime } = this.world;
    await runtime.sleep(20 * random());
    const command = this.#command(n);
    this.#disturb();
    const told = await this.#any().ask(command);
    this.#told.push(told);
    const made = told.answer === 'posted' ? this.#made.get(told.id!) : undefined;
    if (made) this.#posted.push(made);
    // The same key at another engine, under another id or the same.
    const id = random() < 0.5 ? `txn_again_${n}` : command.id;
    if (random() < 0.4) this.#told.push(await this.#any().ask({ ...command, id }));
  }

  #command(n: number): Command {
    // Some keys come again with another request, before or after their first.
    const key = `k${this.world.random() < 0.3 ? this.#pick(n + 1) : n}`;
    const named = { id: `txn_${n}`, key };
    if (this.mix.lifeCycle) return this.#lifeCycle(named);
    if (this.mix.crossing) return this.#crossing(named);
    const source = this.#pick(this.#accounts);
    const from = this.world.random() < 0.3 ? `world${source % this.#books}` : `a${source}`;
    const to = (source + this.#books) % this.#accounts;
    return aPayment(from, `a${to}`, BigInt(1 + this.#pick(50)), named);
  }

  /** From one to three accounts to one to three others, wherever they are. */
  #crossing(named: Pick<Command, 'id' | 'key'>): Command {
    const first = this.#pick(this.#accounts);
    const chosen = Array.from({ length: 2 + this.#pick(3) }, (_, i) => (first + i) % this.#accounts);
    const givers = chosen.length === 2 ? 1 : 1 + this.#pick(chosen.length - 1);
    const amount = BigInt(6 * (1 + this.#pick(10)));
    const legs = chosen.map((n, i) => ({
      account: i < givers && this.#pick(3) === 0 ? `world${this.#pick(this.#books)}` : `a${n}`,
      amount: i < givers ? -amount / BigInt(givers) : amount / BigInt(chosen.length - givers),
      currency: 'EUR',
    }));
    const accountsDiffer = new Set(legs.map(({ account }) => account)).size === legs.length;
    if (!accountsDiffer) return this.#crossing(named);
    const fingerprint = legs.map(({ account, amount }) => `${account}:${amount}`).join();
    return aPayment('x', 'y', 1n, { ...named, kind: 'transaction', legs, fingerprint });
  }

  #lifeCycle(named: Pick<Command, 'id' | 'key'>): Command {
    const account = `a${this.#pick(this.#accounts)}`;
    const earlier = this.#posted.length > 0 ? this.#posted[this.#pick(this.#posted.length)] : undefined;
    const fate = this.#pick(12);
    if (fate === 0) {
      const status = (['frozen', 'open', 'open', 'closed'] as const)[this.#pick(4)]!;
      return aChange({ account, status }, named);
    }
    if (fate === 1) return aChange({ account, minBalance: BigInt(-10 * this.#pick(5)) }, named);
    if (fate < 7 && earlier) {
      const book = this.store.accounts.get(earlier.legs[0]!.account)!.book;
      const isWhole = earlier.kind === 'transaction';
      const kind = (['capture', 'capture', 'cancel', 'expiry', 'refund'] as const)[this.#pick(5)]!;
      const amount = kind === 'cancel' || kind === 'expiry' ? 0n : BigInt(1 + this.#pick(20));
      if (isWhole) return following('reversal', earlier, 0n, { ...named, book });
      return following(kind, earlier, amount, { ...named, book, isLast: kind === 'capture' && this.#pick(3) === 0 });
    }
    const from = this.#pick(2) === 0 ? `world${this.#pick(this.#books)}` : account;
    const to = `a${this.#pick(this.#accounts)}`;
    if (from === to) return this.#lifeCycle(named);
    const amount = BigInt(1 + this.#pick(40));
    const expiresAt = this.#pick(2) === 0 ? null : Math.round(this.world.runtime.now() + 40 * this.world.random());
    const made = [
      aPayment(from, to, amount, named),
      aPayment(from, to, amount, { ...named, kind: 'transaction', fingerprint: `${from}>${to} ${amount}` }),
      aHold(from, to, amount, {
        ...named,
        hold: { expiresAt },
        fingerprint: `hold ${from}>${to} ${amount} ${expiresAt}`,
      }),
    ][this.#pick(3)]!;
    this.#made.set(named.id, made);
    return made;
  }

  #disturb(): void {
    const { random } = this.world;
    const { restarts = 0, dies = 0, freezes = 0, clockOffMs = 0, leadersMove = 0 } = this.mix;
    if (random() < leadersMove) void this.#cluster?.move(this.#pick(this.#books), this.#any().member);
    const n = this.#pick(this.#processes.length);
    const process = this.#processes[n]!;
    if (random() < restarts) {
      this.#stopping.push(process.engine.stop(10 * random()));
      this.#processes[n] = this.#start();
    } else if (random() < dies) {
      process.die();
      this.#processes[n] = this.#start();
    } else if (random() < freezes) process.host.freeze(40 * random());
    if (clockOffMs > 0 && random() < 0.1) process.jump();
  }

  async #goAway(): Promise<void> {
    const { awayMs } = this.mix;
    if (awayMs === undefined) return;
    const { random, runtime } = this.world;
    await runtime.sleep(20 * random());
    const { faults } = this.store;
    this.store.faults = AWAY;
    await runtime.sleep(awayMs * random());
    this.store.faults = faults;
  }

  /** Every claim ends, sooner or later; if one does not, the world's time runs out. */
  async #recovered(): Promise<void> {
    const isPending = () => [...this.store.claims.values()].some(({ state }) => state === 'pending');
    while (isPending()) await this.world.runtime.sleep(20);
  }

  /** While clocks are right and nothing takes long, no command is too old to be carried out. */
  #expiredForNoReason(): string[] {
    if (this.mix.clockOffMs || this.mix.awayMs) return [];
    const expired = this.store.placed().filter(({ entry }) => entry.rejection?.reason === 'expired');
    return expired.map(({ entry }) => `${entry.id} expired for no reason`);
  }
}
