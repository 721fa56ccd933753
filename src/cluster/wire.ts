/** Commands and outcomes as instances send them to each other: JSON, one value a line, amounts as text. */
import { checkCommand } from '../ledger/command.ts';
import { LEDGER_ERROR_CODES, LedgerError, type LedgerErrorCode } from '../ledger/errors.ts';
import type { ClaimedWork } from '../ledger/ports.ts';
import type { AccountChange, ChangedAccount, Command, Entry, Leg, Placed, Settlement, Span } from '../ledger/types.ts';

/** Where commands are carried on. */
export const CARRY_ON_PATH = '/cluster/carry-on';

/** One line of an answer: what became of the command with this number in the request. */
export type Answer =
  | { readonly n: number; readonly placed: Placed }
  | { readonly n: number; readonly error: LedgerErrorCode; readonly message: string };

export function encodeWorks(works: readonly ClaimedWork[]): string {
  return JSON.stringify({ works }, writeBigint);
}

/** @throws TypeError, SyntaxError or LedgerError for what is no list of commands */
export function decodeWorks(text: string): ClaimedWork[] {
  const body = JSON.parse(text) as { works?: unknown } | null;
  if (!Array.isArray(body?.works)) throw new TypeError('it is no list of commands');
  return (body.works as Partial<Written<ClaimedWork>>[]).map(({ claimedAt, command }) => {
    if (typeof claimedAt !== 'number' || typeof command?.id !== 'string')
      throw new TypeError('it is no claimed command');
    const read = commandOf(command as Written<Command>);
    checkCommand(read);
    return { claimedAt, command: read };
  });
}

export function encodeAnswer(answer: Answer): string {
  return `${JSON.stringify(answer, writeBigint)}\n`;
}

/** @throws TypeError or SyntaxError for what is no answer */
export function decodeAnswer(line: string): Answer {
  const answer = JSON.parse(line) as Written<Answer> | null;
  if (!Number.isInteger(answer?.n)) throw new TypeError('it is no answer');
  if ('error' in answer!) {
    if (!LEDGER_ERROR_CODES.includes(answer.error)) throw new TypeError(`there is no error ${answer.error}`);
    return answer;
  }
  if (typeof answer!.placed?.entry?.id !== 'string') throw new TypeError('it is no answer');
  return { n: answer!.n, placed: { ...answer!.placed, entry: entryOf(answer!.placed.entry) } };
}

export function errorOf({ error, message }: Extract<Answer, { error: unknown }>): LedgerError {
  return new LedgerError(error, message);
}

/** As it is in JSON: amounts are text. */
type Written<T> = T extends bigint ? string : T extends object ? { readonly [K in keyof T]: Written<T[K]> } : T;

function writeBigint(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}

function legsOf(legs: readonly Written<Leg>[]): Leg[] {
  return legs.map((leg) => ({ ...leg, amount: BigInt(leg.amount) }));
}

/** Amounts are looked for where they are, and nowhere else: what users wrote beside them is theirs. */
function commandOf({ legs, follows, change, ...command }: Written<Command>): Command {
  const origin = follows && settlementOf(follows.origin);
  return {
    ...command,
    legs: legsOf(legs),
    ...(follows ? { follows: { ...follows, amount: BigInt(follows.amount), origin: origin! } } : {}),
    ...(change ? { change: limitsOf<AccountChange>(change) } : {}),
  };
}

function settlementOf({ held, captured, refunded, ...settlement }: Written<Settlement>): Settlement {
  return { ...settlement, held: BigInt(held), captured: BigInt(captured), refunded: BigInt(refunded) };
}

function limitsOf<T extends AccountChange>(state: Written<T>): T {
  const read = { ...state } as { -readonly [K in keyof AccountChange]: unknown };
  if (read.minBalance != null) read.minBalance = BigInt(read.minBalance as string);
  if (read.maxBalance != null) read.maxBalance = BigInt(read.maxBalance as string);
  return read as T;
}

function entryOf({ postings, rejection, span, legs, settlement, changed, ...entry }: Written<Entry>): Entry {
  return {
    ...entry,
    postings: postings.map((posting) => ({
      ...posting,
      amount: BigInt(posting.amount),
      posted: BigInt(posting.posted),
      held: BigInt(posting.held),
    })),
    ...(rejection === undefined ? {} : { rejection: { ...rejection, legs: legsOf(rejection.legs) } }),
    ...(legs === undefined ? {} : { legs: legsOf(legs) }),
    ...(settlement === undefined ? {} : { settlement: settlementOf(settlement) }),
    ...(changed === undefined ? {} : { changed: limitsOf<ChangedAccount>(changed) }),
    ...(span === undefined ? {} : { span: { ...span, ...(span.legs ? { legs: legsOf(span.legs) } : {}) } as Span }),
  };
}
