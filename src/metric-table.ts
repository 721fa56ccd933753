/** Every metric of our own. `docs/metrics.md` documents each; a test compares the two. */

export interface MetricDeclaration {
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** In what it is measured; by Prometheus' conventions the name ends with it, before `_total`. */
  readonly unit: string;
  /** Each has few values, which no caller chooses. */
  readonly labels: readonly string[];
  readonly help: string;
  /** Of a histogram. */
  readonly buckets?: readonly number[];
}

const REQUEST_SECONDS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const WRITE_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];
const ENTRIES = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000];

export const METRICS = {
  kvitt_build_info: {
    type: 'gauge',
    unit: 'info',
    labels: ['version'],
    help: 'Always 1; the version that runs is its label',
  },
  kvitt_http_request_duration_seconds: {
    type: 'histogram',
    unit: 'seconds',
    labels: ['method', 'route', 'status'],
    help: 'HTTP requests and how long they took, by the pattern of their route',
    buckets: REQUEST_SECONDS,
  },
  kvitt_http_problems_total: {
    type: 'counter',
    unit: 'problems',
    labels: ['code'],
    help: 'Requests answered with a problem, by its code; refused ones are overloaded and rate_limited',
  },
  kvitt_engine_in_flight_commands: {
    type: 'gauge',
    unit: 'commands',
    labels: [],
    help: 'Commands between submit and outcome; QUEUE_COMMANDS_MAX bounds them',
  },
  kvitt_engine_in_flight_bytes: {
    type: 'gauge',
    unit: 'bytes',
    labels: [],
    help: 'Estimated memory of the commands in flight; QUEUE_MIB_MAX bounds it',
  },
  kvitt_engine_queued_commands: {
    type: 'gauge',
    unit: 'commands',
    labels: ['queue'],
    help: 'Commands that wait to be claimed (claim), or, claimed, for a block (block)',
  },
  kvitt_engine_claim_duration_seconds: {
    type: 'histogram',
    unit: 'seconds',
    labels: ['outcome'],
    help: 'Attempts to write a claim: inserted, duplicate (a key was known), unknown (tried again)',
    buckets: WRITE_SECONDS,
  },
  kvitt_engine_append_duration_seconds: {
    type: 'histogram',
    unit: 'seconds',
    labels: ['outcome'],
    help: 'Appends to the journal: done, taken (another writer was first; decided again), unknown (sealed, decided again)',
    buckets: WRITE_SECONDS,
  },
  kvitt_engine_block_entries: {
    type: 'histogram',
    unit: 'entries',
    labels: [],
    help: 'Entries in each block that was appended here',
    buckets: ENTRIES,
  },
  kvitt_engine_seals_total: {
    type: 'counter',
    unit: 'seals',
    labels: [],
    help: 'Seals written, each after an append whose outcome was unknown',
  },
  kvitt_engine_terms_total: {
    type: 'counter',
    unit: 'terms',
    labels: [],
    help: 'Terms begun: books opened for appending by this process',
  },
  kvitt_engine_failed_rounds_total: {
    type: 'counter',
    unit: 'rounds',
    labels: [],
    help: 'Rounds of appends that failed on the way and were tried again',
  },
  kvitt_engine_finished_claims_total: {
    type: 'counter',
    unit: 'claims',
    labels: [],
    help: 'Claims of this process marked done',
  },
  kvitt_recovery_pending_claims: {
    type: 'gauge',
    unit: 'claims',
    labels: [],
    help: 'Claims of all processes that were pending at the last look',
  },
  kvitt_recovery_claims_total: {
    type: 'counter',
    unit: 'claims',
    labels: ['outcome'],
    help: 'Claims left behind that were taken up: finished, failed (taken up again later)',
  },
  kvitt_recovery_commands_total: {
    type: 'counter',
    unit: 'commands',
    labels: ['outcome'],
    help: 'Their commands: standing (the entry was there), driven_on, expired (given up as nobody asked for them)',
  },
  kvitt_account_cache_accounts: {
    type: 'gauge',
    unit: 'accounts',
    labels: [],
    help: 'Accounts in memory',
  },
  kvitt_account_cache_max_accounts: {
    type: 'gauge',
    unit: 'accounts',
    labels: [],
    help: 'Accounts that memory is kept for: ACCOUNTS_IN_MEMORY',
  },
  kvitt_account_cache_lookups_total: {
    type: 'counter',
    unit: 'lookups',
    labels: ['result'],
    help: 'Accounts looked up for commands: hit, or miss (read from the database)',
  },
  kvitt_account_cache_evictions_total: {
    type: 'counter',
    unit: 'evictions',
    labels: [],
    help: 'Accounts that had to make room in memory for others',
  },
  kvitt_payments_view_lag_seconds: {
    type: 'gauge',
    unit: 'seconds',
    labels: [],
    help: 'How far the list of payments is behind the journal',
  },
  kvitt_account_balances_lag_seconds: {
    type: 'gauge',
    unit: 'seconds',
    labels: [],
    help: 'How far the balances kept with accounts are behind the journal',
  },
  kvitt_events_lag_seconds: {
    type: 'gauge',
    unit: 'seconds',
    labels: [],
    help: 'How far the events that are sent outside are behind the journal',
  },
  kvitt_sent_events_total: {
    type: 'counter',
    unit: 'events',
    labels: [],
    help: 'Events that the queue outside has taken',
  },
  kvitt_webhooks_lag_seconds: {
    type: 'gauge',
    unit: 'seconds',
    labels: [],
    help: 'How far it is behind the journal what is to be delivered to webhook endpoints',
  },
  kvitt_webhook_attempts_total: {
    type: 'counter',
    unit: 'attempts',
    labels: ['outcome'],
    help: 'Attempts to deliver an event: delivered, refused (tried again later), failed (given up)',
  },
  kvitt_webhook_disabled_endpoints_total: {
    type: 'counter',
    unit: 'endpoints',
    labels: [],
    help: 'Webhook endpoints that were disabled because they took nothing any more',
  },
  kvitt_expiry_released_holds_total: {
    type: 'counter',
    unit: 'holds',
    labels: [],
    help: 'Holds released because their time was over',
  },
  kvitt_expiry_failures_total: {
    type: 'counter',
    unit: 'failures',
    labels: [],
    help: 'Attempts to release such a hold that failed and are made again',
  },
  kvitt_sqs_received_messages_total: {
    type: 'counter',
    unit: 'messages',
    labels: [],
    help: 'SQS messages received; one that comes again is counted again',
  },
  kvitt_sqs_messages_total: {
    type: 'counter',
    unit: 'messages',
    labels: ['outcome', 'reason'],
    help: 'What became of them: posted, replayed, rejected, dead_lettered (with its reason), failed (comes again), returned, stopped (and its group with it)',
  },
  kvitt_sqs_deleted_messages_total: {
    type: 'counter',
    unit: 'messages',
    labels: ['outcome'],
    help: 'Settled messages deleted, or failed to be (they come again and are replayed)',
  },
  kvitt_sqs_in_flight_messages: {
    type: 'gauge',
    unit: 'messages',
    labels: [],
    help: 'SQS messages in hand',
  },
  kvitt_sqs_receivers: {
    type: 'gauge',
    unit: 'receivers',
    labels: [],
    help: 'Receives under way: more, the fuller the queue is',
  },
  kvitt_mongodb_pool_connections: {
    type: 'gauge',
    unit: 'connections',
    labels: ['state'],
    help: 'Connections to MongoDB: in_use, idle',
  },
  kvitt_mongodb_pool_waiting_operations: {
    type: 'gauge',
    unit: 'operations',
    labels: [],
    help: 'Operations that wait for a connection to MongoDB',
  },
  kvitt_mongodb_pool_wait_seconds_total: {
    type: 'counter',
    unit: 'seconds',
    labels: [],
    help: 'How long operations have waited for a connection to MongoDB, all together; its rate is how many waited at a time',
  },
  kvitt_mongodb_pool_failed_checkouts_total: {
    type: 'counter',
    unit: 'checkouts',
    labels: [],
    help: 'Operations that got no connection to MongoDB',
  },
  kvitt_cluster_led_books: {
    type: 'gauge',
    unit: 'books',
    labels: [],
    help: 'Books that this instance leads; only when books are shared, as all below',
  },
  kvitt_cluster_healthy_instances: {
    type: 'gauge',
    unit: 'instances',
    labels: [],
    help: '1: this instance says that it runs; 0: its database does not answer',
  },
  kvitt_cluster_leaderships_total: {
    type: 'counter',
    unit: 'leaderships',
    labels: [],
    help: 'How often this instance began to lead a book',
  },
  kvitt_cluster_commands_total: {
    type: 'counter',
    unit: 'commands',
    labels: ['carried'],
    help: 'Commands for books of others: handed_over to their leader, or carried on alone as nobody answered',
  },
} as const satisfies Record<string, MetricDeclaration>;
export type MetricName = keyof typeof METRICS;
