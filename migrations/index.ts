import type { Db } from 'mongodb';
import * as ledger from './0001-ledger.ts';
import * as paymentsView from './0002-payments-view.ts';
import * as journalEras from './0003-journal-eras.ts';
import * as listIndexes from './0004-list-indexes.ts';
import * as settlements from './0005-settlements.ts';
import * as webhooks from './0006-webhooks.ts';
import * as verifications from './0007-verifications.ts';
import * as notices from './0008-notices.ts';
import * as reconciliation from './0009-reconciliation.ts';

export interface Migration {
  readonly name: string;
  readonly up: (db: Db) => Promise<void>;
}

/** In order; append-only, never edited. Each may run again after it was cut off half-way. */
export const MIGRATIONS: readonly Migration[] = [
  { name: '0001-ledger', up: ledger.up },
  { name: '0002-payments-view', up: paymentsView.up },
  { name: '0003-journal-eras', up: journalEras.up },
  { name: '0004-list-indexes', up: listIndexes.up },
  { name: '0005-settlements', up: settlements.up },
  { name: '0006-webhooks', up: webhooks.up },
  { name: '0007-verifications', up: verifications.up },
  { name: '0008-notices', up: notices.up },
  { name: '0009-reconciliation', up: reconciliation.up },
];
