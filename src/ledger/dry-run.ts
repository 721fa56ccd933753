import { AccountLoader } from './account-loader.ts';
import { AccountTable } from './account-table.ts';
import { assembled } from './assemble.ts';
import { Book } from './book.ts';
import { checkCommand } from './command.ts';
import { LedgerError } from './errors.ts';
import type { Ledger } from './ledger.ts';
import type { AccountsPort, ClaimsPort, JournalPort, Runtime } from './ports.ts';
import type { Part, Progress } from './progress.ts';
import { systemRuntime } from './runtime.ts';
import { Task } from './task.ts';
import type { Command, Outcome, Placed } from './types.ts';

interface DryRunDeps {
  readonly journal: JournalPort;
  readonly claims: Pick<ClaimsPort, 'findByKeys'>;
  readonly accounts: Pick<AccountsPort, 'load'>;
  readonly runtime?: Runtime;
}

/** Accounts of the ledger itself that a leg may need: of transit, its mirror, and suspense. */
const SLOTS_PER_LEG = 4;

/**
 * Decides commands by the very rules of the books, on what the journal says now, and writes nothing: neither a claim nor an
 * entry, and the key stays unused.
 */
export class DryRun implements Pick<Ledger, 'submit'> {
  readonly #runtime: Runtime;

  constructor(readonly deps: DryRunDeps) {
    this.#runtime = deps.runtime ?? systemRuntime;
  }

  /** What would become of the command; of a known key what did. @throws LedgerError as the ledger itself */
  async submit(command: Command): Promise<Outcome> {
    checkCommand(command);
    return (await this.#known(command)) ?? { ...(await this.#decide(command)), replayed: false };
  }

  async #known({ key, fingerprint }: Command): Promise<Outcome | null> {
    const [claimed] = await this.deps.claims.findByKeys([key]);
    if (!claimed) return null;
    if (claimed.command.fingerprint !== fingerprint) {
      const message = 'this idempotency key was used before, with another request';
      throw new LedgerError('idempotency_key_reused', message);
    }
    const outcome = assembled(await this.deps.journal.findEntries([claimed.command.id]));
    if (outcome) return { ...outcome, replayed: true };
    throw new LedgerError('idempotency_key_in_progress', 'the first request with this key is still running');
  }

  async #decide(command: Command): Promise<Placed> {
    const { journal } = this.deps;
    const table = new AccountTable(SLOTS_PER_LEG * (command.legs.length + 2));
    const nothing = async () => undefined;
    const accounts = {
      load: this.deps.accounts.load.bind(this.deps.accounts),
      ensure: nothing,
      announceChanges: nothing,
    };
    const loader = new AccountLoader(table, accounts, journal);
    const task = new Task(command, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
    const misfit = (await loader.identify([task])).get(task);
    if (misfit) throw misfit;
    const progress = task.progress!;
    const books = new Map<number, Book>();
    for (const number of new Set(progress.books())) {
      const book = new Book(number, table);
      book.openAt(await journal.tip(number));
      books.set(number, book);
    }
    const { follows } = command;
    const home = follows && books.get(follows.book);
    if (home) {
      const found = await journal.settlements([follows.origin.id]);
      home.settlements.set(follows.origin.id, found.get(follows.origin.id) ?? null);
    }
    await loader.load([task], () => true);
    const placed = this.#decideParts(task, progress, books, progress.openFirst());
    const outcome = assembled([...placed, ...this.#decideParts(task, progress, books, progress.openSecond())]);
    if (!outcome) throw new Error(`command ${command.id} was decided and has no outcome`);
    return outcome;
  }

  #decideParts(task: Task, progress: Progress, books: ReadonlyMap<number, Book>, parts: readonly Part[]): Placed[] {
    return parts.map((part) => {
      const { entries, book, height, at } = books.get(part.book)!.decide([{ task, part }], this.#runtime.now());
      const entry = entries[0]!;
      progress.decide(part, entry);
      return { entry, book, height, at };
    });
  }
}
