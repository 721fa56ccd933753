import type { AccountLoader } from './account-loader.ts';
import { Book, IntegrityError, type Work } from './book.ts';
import type { AppendResult, CrashPoint, EncodedBlock, JournalPort, Log, Runtime } from './ports.ts';
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

export interface RoundsDeps {
  readonly journal: JournalPort;
  readonly loader: AccountLoader;
  readonly runtime: Runtime;
  readonly log: Log;
  readonly crashPoint: CrashPoint;
  readonly limits: RoundLimits;
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
  #ready: Task[] = [];
  #running: Promise<void> | null = null;
  #round: Promise<void> | null = null;
  #stopped = false;
  /** Blocks appended, heights lost to another writer, seals written: for metrics and tests. */
  readonly counts = { blocks: 0, taken: 0, unknown: 0, seals: 0, terms: 0 };

  constructor(readonly deps: RoundsDeps) {}

  /** Commands claimed and not yet in a block. */
  get waiting(): number {
    return this.#ready.length;
  }

  /** Only of an open book does this process see every block, so only its balances may be kept in memory. */
  isOpen(book: number): boolean {
    return this.#books.has(book);
  }

  /** Queues claimed tasks whose accounts are loaded; their outcome comes through `onEntry`. */
  push(tasks: readonly Task[]): void {
    for (const task of tasks) this.#ready.push(task);
    if (this.#ready.length > 0) this.#running ??= this.#run();
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
    while (this.#ready.length > 0 && !this.#stopped) {
      try {
        this.#round = this.#writeRound();
        await this.#round;
        backoff.reset();
      } catch (error) {
        this.#rollback();
        if (error instanceof IntegrityError) {
          this.deps.log.error({ err: error }, 'the journal is not what it was; the books are opened again');
          this.#forget();
        } else {
          this.deps.log.warn({ err: error }, 'a round failed; trying again');
        }
        await backoff.wait();
      }
    }
    // In the same turn in which the queue was found empty: whoever comes next begins a new run.
    this.#round = null;
    this.#running = null;
  }

  async #writeRound(): Promise<void> {
    const { journal, crashPoint } = this.deps;
    const taken = this.#take();
    if (taken.length === 0) return;
    let encoded: EncodedBlock[] = [];
    try {
      encoded = await this.#build(taken);
      await crashPoint('before_append');
      const result = await journal.append(encoded);
      await crashPoint('after_append');
      for (const block of encoded.slice(0, result.landed)) this.#landed(block);
      const rest = encoded.slice(result.landed);
      if (rest.length > 0) await this.#recover(rest, result.ended, result.cause);
    } finally {
      // Whoever is not settled by now goes first in the next round.
      const left = taken.filter((task) => task.state !== 'settled');
      for (const { progress } of left) progress?.forgetDecisions();
      if (left.length > 0) this.#ready = left.concat(this.#ready);
    }
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
    return this.#ready.splice(0, count).filter((task) => task.state !== 'settled');
  }

  /**
   * The blocks of a round, in the order in which they are inserted: first what is decided on its own, then the credits
   * and reversals that follow from it. As the insert is ordered, these can only land when those did; so money that goes
   * from book to book needs one round, not two.
   */
  async #build(tasks: readonly Task[]): Promise<EncodedBlock[]> {
    const { loader, runtime } = this.deps;
    const books = new Set<number>();
    for (const { progress } of tasks) for (const book of progress?.books() ?? []) books.add(book);
    for (const number of books) await this.#open(number);
    await loader.load(tasks, (number) => this.isOpen(number));
    // Once for all parts of a command, and after whatever took long.
    const elapsed = runtime.elapsed();
    for (const task of tasks) task.expired = task.isGivenUp(elapsed);
    // Opening or loading may have found entries of commands that this process was about to decide.
    const encoded = this.#buildParts(tasks, (progress) => progress.openFirst());
    const crossing = tasks.filter(({ progress }) => progress?.isCrossing);
    return encoded.concat(this.#buildParts(crossing, (progress) => progress.openSecond()));
  }

  #buildParts(tasks: readonly Task[], open: (progress: Progress) => readonly Part[]): EncodedBlock[] {
    const { journal, runtime, limits } = this.deps;
    const encoded: EncodedBlock[] = [];
    const byBook = new Map<number, Work[]>();
    for (const task of tasks) {
      for (const part of task.progress ? open(task.progress) : []) {
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
      this.counts.unknown++;
      this.deps.log.warn(
        { err: cause, blocks: rest.length },
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
