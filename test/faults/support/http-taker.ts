/** Commands given over HTTP, without a second try, and what became of them. */
import type { Command } from '../../../src/ledger/types.ts';
import type { Api, Balance as BalanceResource, Problem, Transaction } from '../../service/support/api.ts';
import type { Told } from '../../simulation/check-journal.ts';
import type { BalanceTold } from './takers.ts';

/** A transaction when it is posted, else a problem. */
type TransactionAnswer = Pick<Transaction, 'id'> & Pick<Problem, 'code' | 'retryable' | 'transaction_id'>;

const NOTHING_WRITTEN = ['unavailable', 'overloaded', 'not_ready'];
const UNKNOWN = ['outcome_unknown', 'idempotency_key_in_progress', 'internal_error'];

/** `onOverloaded` hears how long it took, in ms, until it was refused for want of room. */
export async function tellOverHttp(
  api: Api,
  { key, legs }: Command,
  onOverloaded: (afterMs: number) => void = () => undefined,
): Promise<Told> {
  // As the ledger knows it.
  const told = { key: `bootstrap/${key}` };
  const postings = legs.map((leg) => ({ ...leg, amount: String(leg.amount) }));
  const calledAt = performance.now();
  try {
    const { status, headers, body } = await api.post<TransactionAnswer>('/v1/transactions', { postings }, key);
    if (status === 201) return { ...told, answer: 'posted', id: body.id };
    if (status === 422) return { ...told, answer: 'rejected', id: String(body.transaction_id) };
    if (body.retryable && headers.get('retry-after') === null) throw new Error(`${body.code} without Retry-After`);
    if (body.code === 'overloaded') onOverloaded(performance.now() - calledAt);
    if (NOTHING_WRITTEN.includes(body.code)) return { ...told, answer: 'nothing written' };
    if (UNKNOWN.includes(body.code)) return { ...told, answer: 'unknown' };
    throw new Error(`a transaction was answered ${status}: ${JSON.stringify(body)}`);
  } catch (error) {
    // The connection failed: if it was never made nothing was sent, else who knows.
    if (!(error instanceof TypeError)) throw error;
    const { code } = (error.cause ?? {}) as { code?: string };
    return { ...told, answer: code === 'ECONNREFUSED' ? 'nothing written' : 'unknown' };
  }
}

export async function balanceOverHttp(api: Api, account: string): Promise<BalanceTold> {
  const { posted, height } = await api.read<BalanceResource>(`/v1/accounts/${account}/balance`);
  return { posted: BigInt(posted), height };
}
