/**
 * What a load test does, as data: it can be checked before anything is sent, kept with its result, and written for other
 * tools. Amounts are minor units, times seconds, rates journeys a second.
 */
import { z } from 'zod';

const SECONDS_MAX = 7 * 24 * 3600;
const RATE_MAX = 1_000_000;
const POINTS_MAX = 10_000;
const JOURNEYS_MAX = 32;
const STEPS_MAX = 64;
const WALLETS_MAX = 5_000_000;
/** Statements of these are read after the run, and they are told apart by two bytes. */
const MERCHANTS_MAX = 10_000;
const AMOUNT_MAX = 1_000_000_000;

const seconds = z.number().positive().max(SECONDS_MAX);
const pause = z.number().nonnegative().max(SECONDS_MAX);
const rate = z.number().nonnegative().max(RATE_MAX);
const amounts = z
  .strictObject({ from: z.int().positive().max(AMOUNT_MAX), to: z.int().positive().max(AMOUNT_MAX) })
  .refine(({ from, to }) => from <= to, 'from must not be above to')
  .readonly();

/** How many users arrive, over time. All but `closed` are open: arrivals wait for no answer. */
export const profileSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('constant'), perSecond: rate, seconds }),
  z.strictObject({ kind: z.literal('ramp'), from: rate, to: rate, seconds }),
  z.strictObject({
    kind: z.literal('steps'),
    steps: z
      .array(z.strictObject({ perSecond: rate, seconds }))
      .min(1)
      .max(POINTS_MAX),
  }),
  /** As at kick-off: `base`, then up to `peak`, which holds, and back. */
  z.strictObject({
    kind: z.literal('spike'),
    base: rate,
    peak: rate,
    before: pause,
    rise: pause,
    hold: pause,
    fall: pause,
    after: pause,
  }),
  /** Rates that were counted at equal distances, straight lines between them, played back within `seconds`. */
  z.strictObject({ kind: z.literal('recorded'), rates: z.array(rate).min(2).max(POINTS_MAX), seconds }),
  /** So many users, each of whom begins anew when done: shows what a system can take, and nothing about latency. */
  z.strictObject({ kind: z.literal('closed'), users: z.int().positive().max(100_000), seconds }),
]);

export const stepSchema = z.discriminatedUnion('do', [
  /** A new account; it is the user's from then on. Without it the user has one that was opened and filled before. */
  z.strictObject({ do: z.literal('open_wallet') }),
  /** A payment from the outside to the user. */
  z.strictObject({ do: z.literal('top_up'), amount: amounts }),
  /** A payment to a merchant, by the API or as an event that is sent to the queue. */
  z.strictObject({ do: z.literal('buy'), amount: amounts, via: z.enum(['api', 'queue']).default('api') }),
  /** A payment that only holds; the next `capture` takes all of it. */
  z.strictObject({ do: z.literal('authorize'), amount: amounts }),
  z.strictObject({ do: z.literal('capture') }),
  z.strictObject({ do: z.literal('check_balance') }),
  /** The user's latest payments. */
  z.strictObject({ do: z.literal('list_payments') }),
  /** All of what the user bought last by the API. */
  z.strictObject({ do: z.literal('refund') }),
  /** A pause, exponentially distributed around its mean, at most five times of that. */
  z.strictObject({ do: z.literal('think'), seconds: pause }),
]);

export const scenarioSchema = z
  .strictObject({
    name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,39}$/, 'must be lower-case letters, digits and hyphens'),
    description: z.string().min(1).max(1_000),
    currency: z.string().regex(/^[A-Z]{3}$/),
    population: z.strictObject({
      /** Wallets that are there, and filled, before the first user arrives. */
      wallets: z.int().positive().max(WALLETS_MAX),
      /** What each of these holds at first. */
      funds: z.int().positive().max(AMOUNT_MAX),
      merchants: z.int().positive().max(MERCHANTS_MAX),
      /** Exponent of Zipf's law: the k-th merchant is chosen in proportion to k to the power of minus this. 0: all alike. */
      merchantSkew: z.number().nonnegative().max(5),
    }),
    journeys: z
      .array(
        z.strictObject({
          name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,39}$/),
          weight: z.number().positive(),
          steps: z.array(stepSchema).min(1).max(STEPS_MAX),
        }),
      )
      .min(1)
      .max(JOURNEYS_MAX),
    profile: profileSchema,
    /** poisson: as independent users do. paced: at equal distances. */
    arrivals: z.enum(['poisson', 'paced']).default('poisson'),
  })
  .superRefine(({ journeys }, context) => {
    journeys.forEach(({ steps }, journey) => {
      const has = new Set<string>();
      steps.forEach((step, index) => {
        const needs = NEEDS[step.do];
        if (needs !== undefined && !has.has(needs)) {
          const message = `${step.do} needs a step ${needs} before it`;
          context.addIssue({ code: 'custom', path: ['journeys', journey, 'steps', index], message });
        }
        if (step.do === 'capture') has.delete('authorize');
        has.add(step.do === 'buy' && step.via === 'queue' ? 'queue_buy' : step.do);
      });
    });
  });

const NEEDS: Partial<Record<Step['do'], Step['do']>> = { capture: 'authorize', refund: 'buy' };

export type Profile = z.output<typeof profileSchema>;
export type Step = z.output<typeof stepSchema>;
export type Scenario = z.output<typeof scenarioSchema>;
/** As it is written in a file. */
export type ScenarioInput = z.input<typeof scenarioSchema>;

/** Every kind of call; the API knows no other. */
export const OPERATIONS = [
  'open_wallet',
  'top_up',
  'buy',
  'queue_buy',
  'authorize',
  'capture',
  'check_balance',
  'list_payments',
  'refund',
] as const;
export type Operation = (typeof OPERATIONS)[number];

/** The call that a step makes; null: none. */
export function operationOf(step: Step): Operation | null {
  if (step.do === 'think') return null;
  return step.do === 'buy' && step.via === 'queue' ? 'queue_buy' : step.do;
}
