import { assembled, primaryOf } from '../ledger/assemble.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Command, Leg, Placed, Settlement } from '../ledger/types.ts';
import { followingCommand } from './commands.ts';
import { transactionIdOf } from './ids.ts';
import { Moved } from './moved.ts';
import type { JournalQueries } from './ports.ts';
import { divideOpen, legsFrom } from './splits.ts';
import {
  type Answer,
  type Caller,
  type Followed,
  type FollowPayment,
  PaymentsError,
  type TransactionView,
} from './types.ts';
import { commandKind, paymentView, transactionView } from './views.ts';

interface LifeCycleDeps {
  readonly ledger: Ledger;
  readonly dryRun: Pick<Ledger, 'submit'>;
  readonly journal: Pick<JournalQueries, 'findEntries' | 'latestAbout' | 'followers'>;
}

/** A payment as it stands: what describes it, and the last entry that says how it is settled; null: there is none. */
interface Standing {
  readonly primary: Placed;
  readonly latest: Placed | null;
}

/**
 * What happens to payments and transactions after they were made. What is moved is planned here, by what the journal
 * says now; whether it may be is decided in the book, by what it says then.
 */
export class LifeCycle {
  readonly #moved: Moved;

  constructor(readonly deps: LifeCycleDeps) {
    this.#moved = new Moved(deps.journal);
  }

  /** Who decides what this caller asks for. */
  ledgerOf({ dryRun }: Caller): Pick<Ledger, 'submit'> {
    return dryRun ? this.deps.dryRun : this.deps.ledger;
  }

  /** The entries of a payment. Throws {@link PaymentsError} `not_found`. */
  async standing(id: string): Promise<Standing> {
    const transactionId = transactionIdOf(id);
    if (transactionId !== null) {
      const { journal } = this.deps;
      const [parts, latest] = await Promise.all([
        journal.findEntries([transactionId]),
        journal.latestAbout([transactionId]),
      ]);
      const primary = primaryOf(parts);
      if (primary && commandKind(primary.entry) === 'payment') {
        return { primary, latest: latest.get(transactionId) ?? null };
      }
    }
    throw new PaymentsError('not_found', `there is no payment ${id}`);
  }

  async capture(id: string, request: FollowPayment, caller: Caller): Promise<Answer<Followed>> {
    const standing = await this.standing(id);
    const { source, amount, currency, destinations } = planOf(standing);
    const { held } = settlementOf(standing);
    // When nothing is held any more, which the book has to say: as if all of it were to be captured.
    const captured = request.amount ?? (held > 0n ? held : amount);
    const paid = await this.#paidSoFar(standing, destinations);
    const open = destinations.map((one, i) => one.amount - paid[i]!);
    const legs = legsFrom(source, currency, share(captured, destinations, open));
    const follows = { amount: captured, ...(request.isLast === undefined ? {} : { isLast: request.isLast }) };
    return this.#follow(
      standing,
      caller,
      followingCommand('capture', request, caller, legs, { ...home(standing), ...follows }),
    );
  }

  cancel(id: string, request: FollowPayment, caller: Caller): Promise<Answer<Followed>> {
    return this.#release('cancel', id, request, caller);
  }

  /** Releases what a payment holds, once its time is over. */
  expire(id: string, caller: Caller): Promise<Answer<Followed>> {
    return this.#release('expiry', id, {}, caller);
  }

  async #release(
    kind: 'cancel' | 'expiry',
    id: string,
    request: FollowPayment,
    caller: Caller,
  ): Promise<Answer<Followed>> {
    const standing = await this.standing(id);
    const follows = { ...home(standing), amount: 0n };
    return this.#follow(standing, caller, followingCommand(kind, request, caller, [], follows));
  }

  async refund(id: string, request: FollowPayment, caller: Caller): Promise<Answer<Followed>> {
    const standing = await this.standing(id);
    const { source, amount, currency, destinations } = planOf(standing);
    const { captured, refunded } = settlementOf(standing);
    const open = captured - refunded;
    const refund = request.amount ?? (open > 0n ? open : amount);
    const paid = await this.#paidSoFar(standing, destinations);
    const legs = reversed(legsFrom(source, currency, share(refund, destinations, paid)));
    const follows = { ...home(standing), amount: refund };
    return this.#follow(standing, caller, followingCommand('refund', request, caller, legs, follows));
  }

  async reverse(id: string, request: FollowPayment, caller: Caller): Promise<Answer<TransactionView>> {
    const parts = await this.deps.journal.findEntries([id]);
    const [any] = parts;
    if (!any) throw new PaymentsError('not_found', `there is no transaction ${id}`);
    const kind = commandKind(any.entry);
    if (kind !== 'transaction') throw notReversible(`it is a ${kind}; what a payment has paid is refunded`);
    const whole = assembled(parts);
    if (whole === null) {
      const message = `transaction ${id} is still on its way between books; reverse it when it is posted`;
      throw new PaymentsError('transaction_pending', message);
    }
    if (whole.entry.rejection) throw notReversible('it was rejected and has moved nothing');
    const origin = { id, held: 0n, captured: 1n, refunded: 0n };
    const follows = { book: whole.book, amount: 1n, origin };
    const legs = reversed((primaryOf(parts)?.entry.span?.legs ?? whole.entry.postings).map(legOf));
    const outcome = await this.ledgerOf(caller).submit(followingCommand('reversal', request, caller, legs, follows));
    return { value: transactionView([outcome]), replayed: outcome.replayed };
  }

  async #follow({ primary, latest }: Standing, caller: Caller, command: Command): Promise<Answer<Followed>> {
    const outcome = await this.ledgerOf(caller).submit(command);
    const { entry, replayed } = outcome;
    const reason = entry.rejection?.reason ?? null;
    const payment = paymentView(primary, reason === null ? outcome : latest);
    return { value: { payment, transactionId: entry.id, rejectionReason: reason }, replayed };
  }

  /** What each destination has been paid and not paid back. */
  async #paidSoFar({ primary, latest }: Standing, destinations: readonly Destination[]): Promise<bigint[]> {
    const { captured, refunded } = settlementOf({ primary, latest });
    const [only] = destinations;
    if (destinations.length === 1 && only) return [captured - refunded];
    const made = primary.entry.legs ? [] : (primary.entry.span?.legs ?? primary.entry.postings);
    const since = latest ? await this.#moved.since(primary.entry.id) : null;
    return destinations.map(({ account }) => {
      const atFirst = made.find((leg) => leg.account === account)?.amount ?? 0n;
      return atFirst + (since?.get(account) ?? 0n);
    });
  }
}

interface Destination {
  readonly account: string;
  readonly amount: bigint;
}

function planOf({ primary }: Standing) {
  const { legs: held, rejection, span, postings } = primary.entry;
  const legs: readonly Leg[] = rejection?.legs ?? span?.legs ?? held ?? postings;
  const source = legs.find(({ amount }) => amount < 0n)!;
  const destinations: Destination[] = legs.filter(({ amount }) => amount > 0n);
  return { source: source.account, amount: -source.amount, currency: source.currency, destinations };
}

function settlementOf({ primary, latest }: Standing): Settlement {
  return latest?.entry.settlement ?? originOf(primary);
}

function home({ primary }: Standing): { book: number; origin: Settlement } {
  return { book: primary.book, origin: originOf(primary) };
}

/** How a payment was settled by its own entry, as if nothing had followed it. */
function originOf(primary: Placed): Settlement {
  const { entry } = primary;
  const { source, amount } = planOf({ primary, latest: null });
  const none = { id: entry.id, account: source, held: 0n, refunded: 0n };
  if (!entry.legs) return { ...none, captured: entry.rejection ? 0n : amount };
  const expiresAt = entry.settlement?.expiresAt;
  return { ...none, captured: 0n, ...(expiresAt === undefined ? {} : { expiresAt }) };
}

/** Divides an amount among destinations by what is open for each; if that is less, by what each was to get. */
function share(amount: bigint, destinations: readonly Destination[], open: readonly bigint[]): Destination[] {
  if (destinations.length === 1) return [{ ...destinations[0]!, amount }];
  const sum = open.reduce((all, one) => all + one, 0n);
  const isWithin = sum >= amount && open.every((one) => one >= 0n);
  const shares = divideOpen(amount, isWithin ? open : destinations.map((one) => one.amount));
  return destinations.map(({ account }, i) => ({ account, amount: shares[i]! }));
}

function reversed(legs: readonly Leg[]): Leg[] {
  return legs.map((leg) => ({ ...leg, amount: -leg.amount }));
}

function legOf({ account, amount, currency }: Leg): Leg {
  return { account, amount, currency };
}

function notReversible(why: string): PaymentsError {
  return new PaymentsError('not_reversible', `the transaction cannot be reversed: ${why}`);
}
