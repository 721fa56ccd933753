import type { AnyBulkWriteOperation, ClientSession, Collection, Db } from 'mongodb';
import { LedgerError } from '../../src/ledger/errors.ts';
import type { RejectionReason } from '../../src/ledger/types.ts';
import { isOutside } from '../../src/payments/outside.ts';
import {
  type AccountView,
  type BalancesView,
  type BalanceView,
  type CreateAccount,
  PaymentsError,
  type TrialBalanceRow,
} from '../../src/payments/types.ts';
import {
  ACCOUNT_IDS,
  type AccountDocument,
  accountDocumentId,
  accountView,
  balanceView,
  LEDGER,
  type StoredDocument,
} from './documents.ts';

/** A change of one account by a transaction. */
export interface Change {
  readonly account: string;
  readonly currency: string;
  /** What posted and held change by. */
  readonly posted: bigint;
  readonly held: bigint;
}

const PARTS = 32;
const SNAPSHOT = { snapshot: true } as const;

/**
 * Balances, each in one document. Only the accounts of the outside, which every top-up takes from and which have no
 * limit to check, are spread over several documents: transactions that change the same one conflict.
 */
export class NativeAccounts {
  readonly collection: Collection<AccountDocument>;

  constructor(readonly db: Db) {
    this.collection = db.collection(LEDGER);
  }

  async create(request: CreateAccount): Promise<{ account: AccountView; created: boolean }> {
    const wanted = documentOf(request);
    const parts = partIdsOf(request.id).map((_id) => ({ ...wanted, _id }));
    if (parts.length > 0) await this.#insertMissing(parts);
    if (await this.#insertMissing([wanted])) return { account: accountView(wanted), created: true };
    const account = await this.get(request.id);
    const isSame =
      account.currency === wanted.currency && account.minBalance === wanted.min && account.maxBalance === wanted.max;
    if (isSame) return { account, created: false };
    throw new PaymentsError('account_exists', `account ${request.id} exists already, with another currency or limits`);
  }

  /** Was any of them missing? */
  async #insertMissing(documents: readonly AccountDocument[]): Promise<boolean> {
    const { upsertedCount } = await this.collection.bulkWrite(
      documents.map(({ _id, ...fields }) => ({
        updateOne: { filter: { _id }, update: { $setOnInsert: fields }, upsert: true },
      })),
    );
    return upsertedCount > 0;
  }

  async get(id: string): Promise<AccountView> {
    const found = await this.collection.findOne({ _id: accountDocumentId(id) });
    if (found) return accountView(found);
    throw new PaymentsError('not_found', `there is no account ${id}`);
  }

  async balance(id: string): Promise<BalanceView> {
    const { balances } = await this.balances([id]);
    if (balances[0]) return balances[0];
    throw new PaymentsError('not_found', `there is no account ${id}`);
  }

  async balances(ids: readonly string[]): Promise<BalancesView> {
    const asOf = new Date();
    const wanted = [...new Set(ids)];
    const found = await this.db.client.withSession(SNAPSHOT, (session) => this.#read(wanted, session));
    const known = ids.flatMap((id) => (found.has(id) ? balanceView(id, found.get(id)!, asOf) : []));
    return { balances: known, unknown: wanted.filter((id) => !found.has(id)) };
  }

  /** The documents of each account. */
  async #read(ids: readonly string[], session: ClientSession): Promise<Map<string, AccountDocument[]>> {
    const all = ids.flatMap((id) => [accountDocumentId(id), ...partIdsOf(id)]);
    const found = new Map<string, AccountDocument[]>();
    for (const document of await this.collection.find({ _id: { $in: all } }, { session }).toArray()) {
      const { account } = document;
      found.set(account, [...(found.get(account) ?? []), document]);
    }
    return found;
  }

  async trialBalance(): Promise<TrialBalanceRow[]> {
    const ofAccount = {
      _id: '$account',
      currency: { $first: '$currency' },
      posted: { $sum: '$posted' },
    };
    const ofCurrency = {
      _id: '$currency',
      debit: { $sum: { $min: ['$posted', 0n] } },
      credit: { $sum: { $max: ['$posted', 0n] } },
      accounts: { $sum: 1 },
    };
    const stages = [
      { $match: { _id: ACCOUNT_IDS } },
      { $group: ofAccount },
      { $group: ofCurrency },
      { $sort: { _id: 1 } },
    ];
    type Sums = { _id: string; debit: bigint; credit: bigint; accounts: number };
    const rows = await this.db.client.withSession(SNAPSHOT, (session) =>
      this.collection.aggregate<Sums>(stages, { session, allowDiskUse: true }).toArray(),
    );
    return rows.map(({ _id, debit, credit, accounts }) => {
      return {
        currency: _id,
        debit: BigInt(debit),
        credit: BigInt(credit),
        sum: BigInt(debit) + BigInt(credit),
        accounts,
      };
    });
  }

  /** Why changes cannot be carried out; null: they can. Throws {@link LedgerError} when they never could. */
  async reasonAgainst(changes: readonly Change[], session: ClientSession): Promise<RejectionReason | null> {
    const found = await this.#read(
      changes.map(({ account }) => account),
      session,
    );
    for (const { account, currency } of changes) {
      const has = found.get(account)?.[0];
      if (!has) throw new LedgerError('account_not_found', `there is no account ${account}`, { account });
      if (has.currency === currency) continue;
      throw new LedgerError('currency_mismatch', `${account} holds ${has.currency}`, { account });
    }
    for (const { account, posted, held } of changes) {
      const { spendable, receivable } = found.get(account)![0]!;
      if (posted - held < 0n && spendable < held - posted) return 'insufficient_funds';
      if (posted > 0n && receivable < posted) return 'balance_limit_exceeded';
    }
    return null;
  }
}

function documentOf({ id, currency, minBalance, maxBalance, metadata = {} }: CreateAccount): AccountDocument {
  const min = minBalance === undefined ? (isOutside(id) ? null : 0n) : minBalance;
  const max = maxBalance ?? null;
  if (isOutside(id) && max !== null) {
    throw new LedgerError('invalid_command', 'the peer keeps no limits of accounts of the outside', { account: id });
  }
  return {
    _id: accountDocumentId(id),
    account: id,
    currency,
    posted: 0n,
    held: 0n,
    spendable: min === null ? Number.POSITIVE_INFINITY : -min,
    receivable: max ?? Number.POSITIVE_INFINITY,
    entries: 0n,
    min,
    max,
    metadata,
    created_at: new Date(),
  };
}

/** No account has such an id of its own. */
function partId(account: string, part: number): string {
  return `${accountDocumentId(account)}#${part}`;
}

function partIdsOf(id: string): string[] {
  return isOutside(id) ? Array.from({ length: PARTS }, (_, part) => partId(id, part)) : [];
}

/** Matches its document only if it can be carried out. */
export function changeOperation({ account, currency, posted, held }: Change): AnyBulkWriteOperation<StoredDocument> {
  const taken = held - posted;
  const filter = {
    _id: isOutside(account) ? partId(account, Math.floor(Math.random() * PARTS)) : accountDocumentId(account),
    currency,
    ...(taken > 0n ? { spendable: { $gte: taken } } : {}),
    ...(posted > 0n ? { receivable: { $gte: posted } } : {}),
  };
  // An account that is only looked for is found and not written, as nothing about it changes.
  const entries = posted === 0n && held === 0n ? 0n : 1n;
  return { updateOne: { filter, update: { $inc: { posted, held, spendable: -taken, receivable: -posted, entries } } } };
}
