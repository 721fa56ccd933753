import type { Db } from 'mongodb';
import * as ledger from './0001-ledger.ts';
import * as paymentsView from './0002-payments-view.ts';
import * as journalEras from './0003-journal-eras.ts';

export interface Migration {
  readonly name: string;
  readonly up: (db: Db) => Promise<void>;
}

/** In order; append-only, never edited. Each may run again after it was cut off half-way. */
export const MIGRATIONS: readonly Migration[] = [
  { name: '0001-ledger', up: ledger.up },
  { name: '0002-payments-view', up: paymentsView.up },
  { name: '0003-journal-eras', up: journalEras.up },
];
