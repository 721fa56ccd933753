/** What the consumer is told: its queues, and its bounds. */
export interface ConsumerSettings {
  /** A standard queue. */
  readonly queueUrl: string;
  readonly deadLetterQueueUrl: string;
  /** How long one receive waits for a message, 0 to 20 s. */
  readonly waitSeconds: number;
  /** How long a received message is hidden from others, 2 to 43,200 s; renewed while it is worked on. */
  readonly visibilityTimeoutSeconds: number;
  /** Receive loops, 1 to 16. Up to twenty messages each are in hand at once. */
  readonly concurrency: number;
  /** A message that was received this often and still fails is dead-lettered; 20 unless told. */
  readonly maxReceiveCount?: number | undefined;
  /** Longest pause before a message that failed is handed out again, at most 43,200 s; 900 unless told. */
  readonly retryDelayMaxSeconds?: number | undefined;
  /** How long to wait for the ledger's answer to one message, in ms; 120,000 unless told. */
  readonly workTimeoutMs?: number | undefined;
}

export type CompleteSettings = {
  readonly [Name in keyof ConsumerSettings]-?: NonNullable<ConsumerSettings[Name]>;
};

type NumberSetting = Exclude<keyof ConsumerSettings, 'queueUrl' | 'deadLetterQueueUrl'>;
const LIMITS: readonly (readonly [name: NumberSetting, min: number, max: number])[] = [
  ['waitSeconds', 0, 20],
  ['visibilityTimeoutSeconds', 2, 43_200],
  ['concurrency', 1, 16],
  ['maxReceiveCount', 1, 1_000],
  ['retryDelayMaxSeconds', 1, 43_200],
  ['workTimeoutMs', 1, 3_600_000],
];

/** Fills in what was left out. Throws a RangeError for what SQS would refuse, or what this consumer cannot keep. */
export function complete(settings: ConsumerSettings): CompleteSettings {
  const all = {
    ...settings,
    maxReceiveCount: settings.maxReceiveCount ?? 20,
    retryDelayMaxSeconds: settings.retryDelayMaxSeconds ?? 900,
    workTimeoutMs: settings.workTimeoutMs ?? 120_000,
  };
  for (const [name, min, max] of LIMITS) {
    const value = all[name];
    if (Number.isInteger(value) && value >= min && value <= max) continue;
    throw new RangeError(`${name} of the SQS consumer must be a whole number from ${min} to ${max}; it is ${value}`);
  }
  if (new URL(all.queueUrl).pathname.endsWith('.fifo')) {
    throw new RangeError(
      'the SQS consumer does not keep the order of a FIFO queue; give it the URL of a standard queue',
    );
  }
  return all;
}
