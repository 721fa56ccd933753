import type { AccountLoader } from './account-loader.ts';
import { Book, IntegrityError, type Work } from './book.ts';
import { concernedTasks } from './concerned.ts';
import type {
  AppendResult,
  CrashPoint,
  EncodedBlock,
  EngineObserver,
  JournalPort,
  LeadershipPort,
  Log,
  Runtime,
} from './ports.ts';
import type { Part, Progress } from './progress.ts';
import { Backoff } from './retry.ts';
import type { Task } from './task.ts';
import type { Placed, StoredBlock } from './types.ts';

export interface RoundLimits {
  /** Entries one block holds at most. */
  readonly blockEntriesMax: number;
  /** Estimated bytes one block holds at most; well below MongoDB's 16 MiB. */
  readonly blockBytesMax: number;
  /** Commands one round holds at most, and their estimated bytes; one message to MongoDB holds 48 MB. */
  readonly roundCommandsMax: number;
  readonly roundBytesMax: number;
}

/** Each has up to 4 MiB. */
const CATCH_UP_BLOCKS = 20;
const VISIBLE_ATTEMPTS_MAX = 50;
const LOOK_UP_MAX = 1000;
/** In memory, of each book; some 300 bytes each. */
const SETTLEMENTS_MAX = 50_000;
/** How long a book of others stays open without being needed. */
const VISIT_MS = 5_000;

interface BookChange {
  readonly book: number;
  readonly to: 'open' | 'close';
  readonly resolve: () => void;
}

export interface RoundsDeps {
  readonly journal: JournalPort;
  readonly loader: AccountLoader;
  readonly runtime: Runtime;
  readonly log: Log;
  readonly crashPoint: CrashPoint;
  readonly observer: EngineObserver;
  readonly limits: RoundLimits;
  readonly leadership: Pick<LeadershipPort, 'isShared' | 'leads'>;
  /** The task goes on in a book that another process leads. */
  readonly onForeign: (task: Task, book: number) => void;
  /** Commands in flight here whose claim may be durable. */
  readonly claimedIds: () => string[];
  /** Told of each entry that stands, whoever wrote it. */
  readonly onEntry: (placed: Placed) => void;
}

/**
 * Writes claimed commands into the journal, in rounds, one in flight. A round is one ordered insert of blocks for each
 * book that has work. However an append ends, the round ends with this process knowing what stands in the journal:
 *
 * - all landed: done.
 * - a height was taken: what was built is taken back, the journal is read on, the commands are decided again.
 * - unknown: the same, after each height concerned was made known by a seal.
 */
export class Rounds {
  readonly #books = new Map<number, Book>();
  /** Books of others that are open here, by when they were last needed, in ms of `Runtime.elapsed`. */
  readonly #visited = new Map<number, number>();
  /** What is to be opened or closed before the next round. */
  #changes: BookChange[] = [];
  #ready: Task[] = [];
  /** What the round in flight is about, or was. */
  #taken: readonly Task[] = [];
  #running: Promise<void> | null = null;
  #round: Promise<void> | null = null;
  #stopped = false;
  /** Blocks appended, heights lost to another writer, seals and terms written, rounds that failed: for metrics and tests. */
  readonly counts = { blocks: 0, taken: 0, seals: 0, terms: 0, failed: 0 };

  constructor(readonly deps: RoundsDeps) {}

  /** Commands claimed and not yet in a block. */
  get waiting(): number {
    return this.#ready.length;
  }

  /** Only of an open book does this process see every block, so only its balances may be kept in memory. */
  isOpen(book: number): boolean {
    return this.#books.has(book);
  }

  /**
   * Queues claimed tasks whose accounts are loaded; their outcome comes through `onEntry`. Those that go on in books of
   * others are given away.
   */
  push(tasks: readonly Task[]): void {
    for (const task of tasks) {
      const foreign = this.#foreignBook(task);
      if (foreign === null) this.#ready.push(task);
      else this.deps.onForeign(task, foreign);
    }
    if (this.#ready.length > 0) this.#running ??= this.#run();
  }

  /** Opens a book that this process is about to lead. Resolves when it is open, or these rounds have been stopped. */
  lead(book: number): Promise<void> {
    return this.#change(book, 'open');
  }

  /** Closes a book that another process is about to lead. Resolves when nothing of the rounds here is on its way to it. */
  leave(book: number): Promise<void> {
    return this.#change(book, 'close');
  }

  #change(book: number, to: BookChange['to']): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    return new Promise((resolve) => {
      this.#changes.push({ book, to, resolve });
      this.#running ??= this.#run();
    });
  }

  /** Resolves at the end of the round in flight, however it ends; at once when there is none. */
  async roundEnd(): Promise<void> {
    await this.#round?.catch(() => undefined);
  }

  /** Lets the round in flight end and begins no other. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    const backoff = new Backoff(this.deps.runtime, 10, 1000);
    while (this.#ready.length + this.#changes.length > 0 && !this.#stopped) {
      try {
        this.#round = this.#writeRound();
        await this.#round;
        backoff.reset();
      } catch (error) {
        this.#rollback();
        this.counts.failed++;
        if (error instanceof IntegrityError) {
          this.deps.log.error({ err: error }, 'the journal is not what it was; the books are opened again');
          this.#forget();
        } else {
          this.deps.log.warn({ err: error, ...concernedTasks(this.#taken) }, 'a round failed; trying again');
        }
        await backoff.wait();
      }
    }
    // In the same turn in which the queue was found empty: whoever comes next begins a new run.
    this.#round = null;
    this.#running = null;
    this.#taken = [];
    for (const { resolve } of this.#changes.splice(0)) resolve();
  }

  /** Where a task goes on that has nothing to do in this process's own books; null: it has. */
  #foreignBook({ progress, isAlone }: Task): number | null {
    if (!this.deps.leadership.isShared || isAlone || progress === null) return null;
    const next = progress.next();
    if (next.length === 0 || next.some(({ book }) => this.deps.leadership.leads(book))) return null;
    return next[0]!.book;
  }

  #isOurs(task: Task, book: number): boolean {
    return task.isAlone || this.deps.leadership.leads(book);
  }

  /** Between two rounds, when nothing is on its way to any book. */
  async #changeBooks(): Promise<void> {
    for (let change = this.#changes[0]; change !== undefined; change = this.#changes[0]) {
      if (change.to === 'open') await this.#open(change.book);
      else this.#close(change.book);
      this.#changes.shift();
      change.resolve();
    }
  }

  #close(book: number): void {
    this.#visited.delete(book);
    if (this.#books.delete(book)) this.deps.loader.table.unloadBook(book);
  }

  /**
   * A book of others, that nobody answered for. What they append meanwhile is not seen here until it is needed again;
   * after a while it is quicker to open it anew than to read on.
   */
  #visit(book: number): void {
    const { runtime, leadership } = this.deps;
    if (!leadership.isShared || leadership.leads(book)) {
      this.#visited.delete(book);
      return;
    }
    const last = this.#visited.get(book);
    if (last !== undefined && runtime.elapsed() - last > VISIT_MS) this.#close(book);
    this.#visited.set(book, runtime.elapsed());
  }

  async #writeRound(): Promise<void> {
    const { crashPoint } = this.deps;
    this.#taken = [];
    await this.#changeBooks();
    const taken = this.#take();
    this.#taken = taken;
    if (taken.length === 0) return;
    let encoded: EncodedBlock[] = [];
    try {
      encoded = await this.#build(taken);
      // Another process leads all of it by now.
      if (encoded.length === 0) return;
      await crashPoint('before_append');
      const result = await this.#append(encoded);
      for (const book of this.#books.values()) book.settlements.trim(SETTLEMENTS_MAX);
      await crashPoint('after_append');
      for (const block of encoded.slice(0, result.landed)) this.#landed(block);
      const rest = encoded.slice(result.landed);
      if (rest.length > 0) await this.#recover(rest, result.ended, result.cause);
    } finally {
      // Whoever is not settled by now goes first in the next round.
      const left = taken.filter((task) => task.state !== 'settled');
      for (const { progress } of left) progress?.forgetDecisions();
      if (left.length > 0) this.#ready = this.#withoutForeign(left).concat(this.#ready);
    }
  }

  async #append(encoded: readonly EncodedBlock[]): Promise<AppendResult> {
    const { journal, runtime, observer } = this.deps;
    const began = runtime.elapsed();
    const result = await journal.append(encoded);
    const durationMs = runtime.elapsed() - began;
    observer.appended(
      encoded.map(({ block }) => block),
      result,
      durationMs,
    );
    return result;
  }

  #rollback(): void {
    for (const book of this.#books.values()) book.rollback();
  }

  /** Drops all that is in memory: it is rebuilt from the journal. */
  #forget(): void {
    this.#books.clear();
    this.deps.loader.table.unloadAll();
  }

  #take(): Task[] {
    const { roundCommandsMax, roundBytesMax } = this.deps.limits;
    let count = 0;
    let bytes = 0;
    for (const task of this.#ready) {
      bytes += task.bytes;
      if (count === roundCommandsMax || (count > 0 && bytes > roundBytesMax)) break;
      count++;
    }
    return this.#withoutForeign(this.#ready.splice(0, count).filter((task) => task.state !== 'settled'));
  }

  /** Gives away those that go on in books of others; answers the rest. */
  #withoutForeign(tasks: Task[]): Task[] {
    return tasks.filter((task) => {
      const foreign = this.#foreignBook(task);
      if (foreign !== null) this.deps.onForeign(task, foreign);
      return foreign === null;
    });
  }

  /**
   * The blocks of a round, in the order in which they are inserted: first what is decided on its own, then the credits
   * and reversals that follow from it. As the insert is ordered, these can only land when those did; so money that goes
   * from book to book needs one round, not two.
   */
  async #build(tasks: readonly Task[]): Promise<EncodedBlock[]> {
    const { loader, runtime } = this.deps;
    const books = new Set<number>();
    for (const task of tasks) {
      for (const book of task.progress?.books() ?? []) if (this.#isOurs(task, book)) books.add(book);
    }
    for (const number of books) {
      this.#visit(number);
      await this.#open(number);
    }
    await loader.load(tasks, (number) => this.isOpen(number));
    await this.#loadSettlements(tasks);
    // Once for all parts of a command, and after whatever took long.
    const elapsed = runtime.elapsed();
    for (const task of tasks) task.expired = task.isGivenUp(elapsed);
    // Opening or loading may have found entries of commands that this process was about to decide.
    const encoded = this.#buildParts(tasks, (progress) => progress.openFirst());
    const crossing = tasks.filter(({ progress }) => progress?.isCrossing);
    return encoded.concat(this.#buildParts(crossing, (progress) => progress.openSecond()));
  }

  /** Brings into memory how the commands are settled that these follow. Nothing is on its way to any book meanwhile. */
  async #loadSettlements(tasks: readonly Task[]): Promise<void> {
    const missing = new Map<string, Book>();
    for (const { command } of tasks) {
      const { follows } = command;
      const book = follows && this.#books.get(follows.book);
      if (book && !book.settlements.isKnown(follows.origin.id)) missing.set(follows.origin.id, book);
    }
    if (missing.size === 0) return;
    const found = await this.deps.journal.settlements([...missing.keys()]);
    for (const [id, book] of missing) book.settlements.set(id, found.get(id) ?? null);
  }

  #buildParts(tasks: readonly Task[], open: (progress: Progress) => readonly Part[]): EncodedBlock[] {
    const { journal, runtime, limits } = this.deps;
    const encoded: EncodedBlock[] = [];
    const byBook = new Map<number, Work[]>();
    for (const task of tasks) {
      for (const part of task.progress ? open(task.progress) : []) {
        // Nor in one that was led when the round began.
        if (!this.#books.has(part.book) || !this.#isOurs(task, part.book)) continue;
        const ofBook = byBook.get(part.book);
        if (ofBook) ofBook.push({ task, part });
        else byBook.set(part.book, [{ task, part }]);
      }
    }
    for (const [number, works] of byBook) {
      const book = this.#books.get(number)!;
      for (const group of grouped(works, limits)) {
        const block = journal.encode(book.decide(group, runtime.now()));
        book.buildOn(block);
        encoded.push(block);
        for (let i = 0; i < group.length; i++) group[i]!.task.progress!.decide(group[i]!.part, block.block.entries[i]!);
      }
    }
    return encoded;
  }

  #landed({ block, hash }: EncodedBlock): void {
    this.#books.get(block.book)!.landed();
    this.counts.blocks++;
    this.#tell({ ...block, hash });
  }

  #tell(block: StoredBlock): void {
    const { book, height, at } = block;
    for (const entry of block.entries) this.deps.onEntry({ entry, book, height, at });
  }

  async #recover(rest: readonly EncodedBlock[], ended: AppendResult['ended'], cause: unknown): Promise<void> {
    this.#rollback();
    if (ended === 'unknown') {
      this.deps.log.warn(
        { err: cause, blocks: rest.length, ...concernedTasks(this.#taken) },
        'the outcome of an append is unknown; sealing its heights',
      );
      // In the order of the round: a later block can only have landed if the earlier ones did.
      for (const { block } of rest) {
        // Once one is sealed none after it can land: the insert is ordered.
        if ((await this.#makeKnown(this.#books.get(block.book)!, block.height)) === 'sealed') return;
      }
      return;
    }
    this.counts.taken++;
    const lost = rest[0]!.block;
    await this.#catchUp(this.#books.get(lost.book)!, lost.height);
  }

  /** Returns once something durable stands at the height and was taken in: a block of anybody's, or our seal. */
  async #makeKnown(book: Book, height: number): Promise<'sealed' | 'found'> {
    const { journal, runtime } = this.deps;
    const backoff = new Backoff(this.deps.runtime, 5, 1000);
    await this.#readOn(book);
    while (book.height < height && !this.#stopped) {
      const seal = journal.encode(book.emptyBlock('seal', runtime.now()));
      const result = await journal.append([seal]);
      if (result.ended === 'done') {
        this.counts.seals++;
        book.apply({ ...seal.block, hash: seal.hash });
        return 'sealed';
      }
      await backoff.wait();
      await this.#readOn(book);
    }
    return 'found';
  }

  /** Reads on until the height is there. It was taken, so it will be, unless a failover took it back. */
  async #catchUp(book: Book, height: number): Promise<void> {
    const backoff = new Backoff(this.deps.runtime, 1, 50);
    for (let attempt = 0; attempt < VISIBLE_ATTEMPTS_MAX && !this.#stopped; attempt++) {
      await this.#readOn(book);
      if (book.height >= height) return;
      await backoff.wait();
    }
  }

  /** Takes in all blocks that stand above the tip; as long as the journal cannot be read, it tries again. */
  async #readOn(book: Book): Promise<void> {
    const backoff = new Backoff(this.deps.runtime, 10, 1000);
    while (!this.#stopped) {
      let blocks: StoredBlock[];
      try {
        blocks = await this.deps.journal.read(book.number, book.height + 1, CATCH_UP_BLOCKS);
      } catch (error) {
        this.deps.log.warn({ err: error, book: book.number }, 'the journal cannot be read; trying again');
        await backoff.wait();
        continue;
      }
      for (const block of blocks) {
        book.apply(block);
        this.#tell(block);
      }
      if (blocks.length < CATCH_UP_BLOCKS) return;
    }
  }

  /**
   * Opens a book: reads its tip and appends an empty term block. Once any block stands at its height, all below is
   * settled for good. It need not be ours: against a busy writer it would have to be tried for long.
   */
  async #open(number: number): Promise<void> {
    if (this.#books.has(number)) return;
    const { journal, runtime, loader } = this.deps;
    const book = new Book(number, loader.table);
    book.openAt(await journal.tip(number));
    for (const height = book.height + 1; book.height < height && !this.#stopped; ) {
      const term = journal.encode(book.emptyBlock('term', runtime.now()));
      const result = await journal.append([term]);
      if (result.ended === 'done') {
        book.apply({ ...term.block, hash: term.hash });
        this.counts.terms++;
      } else if (result.ended === 'unknown') await this.#makeKnown(book, height);
      else await this.#catchUp(book, height);
    }
    await this.#findStanding();
    this.#books.set(number, book);
  }

  /**
   * Others may have driven on what was claimed here, in blocks below the tip at which a book was opened. What they
   * append above it is seen when it is read.
   */
  async #findStanding(): Promise<void> {
    const ids = this.deps.claimedIds();
    for (let i = 0; i < ids.length; i += LOOK_UP_MAX) {
      const found = await this.deps.journal.findEntries(ids.slice(i, i + LOOK_UP_MAX));
      for (const placed of found) this.deps.onEntry(placed);
    }
  }
}

function* grouped(works: readonly Work[], { blockEntriesMax, blockBytesMax }: RoundLimits): Generator<Work[]> {
  let group: Work[] = [];
  let bytes = 0;
  for (const work of works) {
    if (group.length > 0 && (group.length >= blockEntriesMax || bytes + work.task.bytes > blockBytesMax)) {
      yield group;
      group = [];
      bytes = 0;
    }
    group.push(work);
    bytes += work.task.bytes;
  }
  if (group.length > 0) yield group;
}
