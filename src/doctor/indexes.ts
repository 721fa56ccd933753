/** The indexes that the migrations make, by collection; a test holds the list against them. */
export const INDEXES: Readonly<Record<string, readonly string[]>> = {
  journal: ['entry', 'era_account_height', 'kind', 'subject_height'],
  idempotency: ['key', 'pending', 'made'],
  accounts: ['newest'],
  payments: [
    'created',
    'status_newest',
    'account_newest',
    'reference_newest',
    'label_newest',
    'currency_newest',
    'amount_newest',
    'place',
    'held_until',
  ],
  reconciliations: ['file', 'schedule', 'running', 'source'],
  reconciliation_matches: ['position', 'source_days'],
  breaks: ['source_age', 'age', 'position', 'resolved', 'settled_items', 'settled_by'],
  webhook_deliveries: ['due', 'status', 'taken', 'kept'],
  notices: ['batch', 'notice', 'at'],
  api_keys: ['name'],
};

/** Without them a key could be used twice, a notice be told twice, and a statement be taken in twice. */
export const UNIQUE_INDEXES: readonly string[] = ['idempotency.key', 'notices.batch', 'reconciliations.file'];
