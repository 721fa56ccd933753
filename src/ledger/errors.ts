/**
 * Everything that can go wrong between a command and its outcome, as one closed list. A rejection is not here: it is
 * an outcome. None of these knows of HTTP.
 */
export const LEDGER_ERROR_CODES = [
  /** The command is malformed: unbalanced, empty, too many legs, the same account twice. Nothing was written. */
  'invalid_command',
  /** A leg names an account that does not exist. Nothing was written; the key is not used up. */
  'account_not_found',
  /** A leg's currency is not its account's. Nothing was written; the key is not used up. */
  'currency_mismatch',
  /** The key was used before, with another request. Nothing was written. */
  'idempotency_key_reused',
  /** A queue is full. Nothing was written: send it again later. */
  'overloaded',
  /** The journal could not be reached before the command was claimed. Nothing was written: send it again later. */
  'unavailable',
  /** It may or may not have happened, and it will be settled. Send the same key again to learn which. */
  'outcome_unknown',
  /** The first request with this key is still running. Send the same key again later. */
  'idempotency_key_in_progress',
] as const;
export type LedgerErrorCode = (typeof LEDGER_ERROR_CODES)[number];

/** Says what went wrong with `code`; `account` and `leg` (index of the leg) where one is to blame. */
export class LedgerError extends Error {
  override readonly name = 'LedgerError';
  constructor(
    readonly code: LedgerErrorCode,
    message: string,
    readonly where: { readonly account?: string; readonly leg?: number } = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** May the same request be sent again, with the same key, and end differently? */
export function isTransient(code: LedgerErrorCode): boolean {
  switch (code) {
    case 'overloaded':
    case 'unavailable':
    case 'outcome_unknown':
    case 'idempotency_key_in_progress':
      return true;
    case 'invalid_command':
    case 'account_not_found':
    case 'currency_mismatch':
    case 'idempotency_key_reused':
      return false;
    default:
      return code satisfies never;
  }
}
