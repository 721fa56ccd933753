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
  reconciliation_items: ['position'],
  webhook_deliveries: ['due', 'status', 'taken', 'kept'],
  api_keys: ['name'],
};

/** Without it a key could be used twice. */
export const UNIQUE_INDEXES: readonly string[] = ['idempotency.key'];
