/** What the consumer is told: its queues, and its bounds. */
export interface ConsumerSettings {
  /** One that ends in `.fifo` is consumed in the order of its message groups. */
  readonly queueUrl: string;
  readonly deadLetterQueueUrl: string;
  /** How long one receive waits for a message, 0 to 20 s. */
  readonly waitSeconds: number;
  /** How long a received message is hidden from others, 2 to 43,200 s; renewed while it is in hand. */
  readonly visibilityTimeoutSeconds: number;
  /** Receives under way at once at most, 1 to 64; there are fewer while fewer suffice. */
  readonly receiversMax: number;
  /** Messages in hand at most, 10 to 10,000: received and not yet settled. 3,000 unless told. */
  readonly inHandMax?: number | undefined;
  /** A message that was received this often and still fails is dead-lettered; 20 unless told. */
  readonly maxReceiveCount?: number | undefined;
  /** A message that was sent longer ago than this and not begun is dead-lettered, s; 0, and unless told: never. */
  readonly maxAgeSeconds?: number | undefined;
  /**
   * A message of a FIFO queue that can never be done: dead-lettered, so that its group goes on (unless told), or left
   * where it is, so that its group waits for somebody to remove it.
   */
  readonly poisonInGroup?: 'dead_letter' | 'stop_group' | undefined;
  /** Longest pause before a message that failed is handed out again, at most 43,200 s; 900 unless told. */
  readonly retryDelayMaxSeconds?: number | undefined;
  /** How long to wait for the ledger's answer to one message, in ms; 120,000 unless told. */
  readonly workTimeoutMs?: number | undefined;
}

export type CompleteSettings = {
  readonly [Name in keyof ConsumerSettings]-?: NonNullable<ConsumerSettings[Name]>;
};

type NumberSetting = Exclude<keyof ConsumerSettings, 'queueUrl' | 'deadLetterQueueUrl' | 'poisonInGroup'>;
const LIMITS: readonly (readonly [name: NumberSetting, min: number, max: number])[] = [
  ['waitSeconds', 0, 20],
  ['visibilityTimeoutSeconds', 2, 43_200],
  ['receiversMax', 1, 64],
  ['inHandMax', 10, 10_000],
  ['maxReceiveCount', 1, 1_000],
  ['maxAgeSeconds', 0, 1_209_600],
  ['retryDelayMaxSeconds', 1, 43_200],
  ['workTimeoutMs', 1, 3_600_000],
];

/** Fills in what was left out. Throws a RangeError for what SQS would refuse, or what this consumer cannot keep. */
export function complete(settings: ConsumerSettings): CompleteSettings {
  const all = {
    ...settings,
    inHandMax: settings.inHandMax ?? 3_000,
    maxReceiveCount: settings.maxReceiveCount ?? 20,
    maxAgeSeconds: settings.maxAgeSeconds ?? 0,
    poisonInGroup: settings.poisonInGroup ?? 'dead_letter',
    retryDelayMaxSeconds: settings.retryDelayMaxSeconds ?? 900,
    workTimeoutMs: settings.workTimeoutMs ?? 120_000,
  };
  for (const [name, min, max] of LIMITS) {
    const value = all[name];
    if (Number.isInteger(value) && value >= min && value <= max) continue;
    throw new RangeError(`${name} of the SQS consumer must be a whole number from ${min} to ${max}; it is ${value}`);
  }
  return all;
}
