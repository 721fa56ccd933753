import { LedgerError } from './errors.ts';
import { AMOUNT_MAX, type Command, LEGS_MAX } from './types.ts';

const KEY_LENGTH_MAX = 512;

/** Refuses a command that could never be an entry, before anything is written. @throws LedgerError invalid_command */
export function checkCommand(command: Command): void {
  const { legs } = command;
  if (legs.length < 2 && !movesNothing(command)) throw invalid('a transaction needs at least two postings');
  if (legs.length > LEGS_MAX) throw invalid(`a transaction has at most ${LEGS_MAX} postings, not ${legs.length}`);
  if (command.key.length === 0 || command.key.length > KEY_LENGTH_MAX) {
    throw invalid(`the idempotency key must have 1 to ${KEY_LENGTH_MAX} characters`);
  }
  if (legs.length === 0) return;
  checkAmounts(command);
  checkAccountsDiffer(command);
  checkBalanced(command);
}

/** Only releases what is held, or changes an account. */
function movesNothing({ kind, legs, follows, change }: Command): boolean {
  if (legs.length > 0) return false;
  return kind === 'account_change' ? change !== undefined : isRelease(kind) && follows !== undefined;
}

function isRelease(kind: Command['kind']): boolean {
  return kind === 'cancel' || kind === 'expiry';
}

function checkAmounts({ legs }: Command): void {
  for (let i = 0; i < legs.length; i++) {
    const { amount } = legs[i]!;
    if (amount === 0n) throw invalid('the amount must not be zero', i);
    if (amount > AMOUNT_MAX || amount < -AMOUNT_MAX) throw invalid(`the amount must be at most ${AMOUNT_MAX}`, i);
  }
}

function checkAccountsDiffer({ legs }: Command): void {
  if (legs.length === 2) {
    if (legs[0]!.account === legs[1]!.account) throw sameAccount(legs[1]!.account, 1);
    return;
  }
  const seen = new Set<string>();
  for (let i = 0; i < legs.length; i++) {
    const { account } = legs[i]!;
    if (seen.has(account)) throw sameAccount(account, i);
    seen.add(account);
  }
}

function checkBalanced({ legs }: Command): void {
  if (legs.length === 2 && legs[0]!.currency === legs[1]!.currency) {
    if (legs[0]!.amount + legs[1]!.amount !== 0n) throw unbalanced(legs[0]!.currency);
    return;
  }
  const sums = new Map<string, bigint>();
  for (const leg of legs) sums.set(leg.currency, (sums.get(leg.currency) ?? 0n) + leg.amount);
  for (const [currency, sum] of sums) if (sum !== 0n) throw unbalanced(currency);
}

function invalid(message: string, leg?: number): LedgerError {
  return new LedgerError('invalid_command', message, leg === undefined ? {} : { leg });
}

function sameAccount(account: string, leg: number): LedgerError {
  return new LedgerError('invalid_command', `account ${account} appears twice; combine its postings into one`, {
    account,
    leg,
  });
}

function unbalanced(currency: string): LedgerError {
  return invalid(`the postings in ${currency} must sum to zero`);
}

/** A rough upper bound of what a command takes in a block or a claim, in bytes. Used for limits only. */
export function estimatedBytes(command: Command): number {
  const { details } = command;
  let bytes = (command.follows || command.hold || command.change ? 500 : 200) + 3 * command.key.length;
  for (const leg of command.legs) bytes += 120 + leg.account.length;
  if (details.reference) bytes += 3 * details.reference.length;
  if (details.description) bytes += 3 * details.description.length;
  if (details.metadata) {
    for (const name in details.metadata) bytes += 20 + 3 * (name.length + details.metadata[name]!.length);
  }
  return bytes;
}
