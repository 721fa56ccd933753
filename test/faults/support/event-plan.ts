import { paymentEvent } from '../../queue/support/events.ts';
import type { Random } from '../../simulation/virtual-world.ts';

/** What an event asks for; amounts in cents. */
export interface Asked {
  readonly source: string;
  readonly destination: string;
  readonly amount: bigint;
}

/** A body that is sent, once or several times. */
export interface PlannedBody {
  readonly text: string;
  /** Of its event; null: no event can be read from it. Two bodies with one id: only one of them may have its effect. */
  readonly id: string | null;
  /** Null: nothing that could be done, so it is to be a dead letter. */
  readonly asks: Asked | null;
}

export interface EventPlan {
  /** In the order in which they are to be sent. */
  readonly messages: readonly PlannedBody[];
}

const ACCOUNTS = 12;
export const BOOKS = 2;
const DUPLICATES = 0.2;
const POISON = 0.01;
/** Of the poison. */
const REUSED = 0.3;
/** A near duplicate is so many messages behind at most: both are in hand at once. */
const NEAR = 8;
const FAR_MIN = 100;
const AMOUNT_MAX = 40;

/** Without limit, one a book: whatever is asked of them happens. */
export const SOURCES = Array.from({ length: BOOKS }, (_, book) => `world${book}`);
/** Account `a<n>` is in book n modulo 2, and has nothing at first. */
export const OTHERS = Array.from({ length: ACCOUNTS }, (_, n) => `a${n}`);

export interface PlanOptions {
  /** How many of them cannot be done; 1 % unless told. */
  readonly poisonous?: number;
}

/** So many events, some of them twice and some that cannot be done. `prefix` begins their ids. */
export function planEvents(prefix: string, events: number, random: Random, options: PlanOptions = {}): EventPlan {
  const { poisonous = POISON } = options;
  const again = (n: number) => n + (random() < 0.5 ? random() * NEAR : FAR_MIN + random() * (events - n));
  const placed: { readonly at: number; readonly body: PlannedBody }[] = [];
  for (let n = 0; n < events; n++) {
    const id = `${prefix}-${n}`;
    const isPoison = random() < poisonous;
    if (isPoison && random() < REUSED) {
      const asks = { source: pick(SOURCES, random), destination: pick(OTHERS, random), amount: 7n };
      placed.push({ at: n, body: body(id, asks) }, { at: again(n), body: body(id, { ...asks, amount: 11n }) });
      continue;
    }
    const one = isPoison ? poison(id, random) : body(id, payment(random));
    placed.push({ at: n, body: one });
    if (random() >= DUPLICATES) continue;
    placed.push({ at: again(n), body: one });
  }
  placed.sort((a, b) => a.at - b.at);
  return { messages: placed.map((one) => one.body) };
}

/** Each of these events as two messages. The copies of ten are next to each other, so that two receives get one each. */
export function planPairs(prefix: string, events: number, random: Random): EventPlan {
  const bodies = Array.from({ length: events }, (_, n) => body(`${prefix}-${n}`, payment(random)));
  const messages: PlannedBody[] = [];
  for (let n = 0; n < events; n += 10) messages.push(...bodies.slice(n, n + 10), ...bodies.slice(n, n + 10));
  return { messages };
}

function body(id: string, asks: Asked, isDone = true): PlannedBody {
  return { text: paymentEvent(id, { ...asks, amount: String(asks.amount) }), id, asks: isDone ? asks : null };
}

function payment(random: Random): Asked {
  const other = () => pick(OTHERS, random);
  const amount = BigInt(1 + Math.floor(random() * AMOUNT_MAX));
  const destination = other();
  if (random() < 0.4) return { source: pick(SOURCES, random), destination, amount: 2n * amount };
  for (;;) {
    // It may have too little: then the event is rejected.
    const source = other();
    if (source !== destination) return { source, destination, amount };
  }
}

function poison(id: string, random: Random): PlannedBody {
  const asks = { source: pick(SOURCES, random), destination: 'nobody', amount: 7n };
  const stranger = body(id, asks, false);
  if (random() < 0.5) return stranger;
  return { text: stranger.text.slice(0, -2), id: null, asks: null };
}

function pick<T>(items: readonly T[], random: Random): T {
  return items[Math.floor(random() * items.length)]!;
}
