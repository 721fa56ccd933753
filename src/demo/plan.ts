/**
 * What the demo is going to do, and what must come of it. Every outcome follows from the plan alone, whatever the order
 * in which things happen: the payers have enough for all they pay, and the poor have nothing and are paid nothing.
 */

export interface PlannedPayment {
  /** The idempotency key, or the id of the event. */
  readonly key: string;
  readonly body: {
    readonly source: string;
    readonly destination: string;
    readonly amount: number;
    readonly currency: string;
    readonly reference: string;
  };
  readonly outcome: 'posted' | 'refused';
  /** How often it is sent. */
  readonly times: number;
}

export interface Plan {
  readonly accounts: readonly { readonly id: string; readonly currency: string }[];
  readonly funding: readonly PlannedPayment[];
  readonly overHttp: readonly PlannedPayment[];
  readonly overSqs: readonly PlannedPayment[];
  /** Bodies of messages that are no payment events. */
  readonly malformed: readonly string[];
}

const HTTP_PAYMENTS = 1000;
const SQS_EVENTS = 1000;

const CURRENCIES = ['EUR', 'NOK'] as const;
const PAYERS = 20;
const FUNDS = 10_000_000;
const EACH_REFUSED = 25;
const EACH_TWICE = 10;

export function makePlan(): Plan {
  const accounts = CURRENCIES.flatMap((currency) =>
    [
      `world:${currency}`,
      `merchant:${currency}`,
      `poor:${currency}`,
      ...Array.from({ length: PAYERS }, (_, i) => payer(currency, i)),
    ].map((id) => ({ id, currency })),
  );
  const funding = CURRENCIES.flatMap((currency) =>
    Array.from({ length: PAYERS }, (_, i) => {
      const body = { source: `world:${currency}`, destination: payer(currency, i), amount: FUNDS, currency };
      return posted(`fund-${currency}-${i}`, { ...body, reference: `fund-${currency}-${i}` });
    }),
  );
  return {
    accounts,
    funding,
    overHttp: Array.from({ length: HTTP_PAYMENTS }, (_, i) => purchase('http', i)),
    overSqs: Array.from({ length: SQS_EVENTS }, (_, i) => purchase('sqs', i)),
    malformed: malformedEvents(),
  };
}

function payer(currency: string, number: number): string {
  return `user:${currency}:${number}`;
}

function posted(key: string, body: PlannedPayment['body']): PlannedPayment {
  return { key, body, outcome: 'posted', times: 1 };
}

function purchase(way: 'http' | 'sqs', number: number): PlannedPayment {
  const currency = CURRENCIES[number % 2]!;
  const isRefused = number % EACH_REFUSED === EACH_REFUSED - 1;
  const from = isRefused ? `poor:${currency}` : payer(currency, (number >> 1) % PAYERS);
  // Every third goes to another user, so that balances go up and down.
  const to = number % 3 === 0 && !isRefused ? payer(currency, ((number >> 1) + 7) % PAYERS) : `merchant:${currency}`;
  return {
    key: `${way}-${number}`,
    body: {
      source: from,
      destination: to,
      amount: 100 + ((number * 37) % 900),
      currency,
      reference: `${way}-${number}`,
    },
    outcome: isRefused ? 'refused' : 'posted',
    times: number % EACH_TWICE === 0 ? 2 : 1,
  };
}

function malformedEvents(): string[] {
  const data = { source: payer('EUR', 0), destination: 'merchant:EUR', amount: 1, currency: 'EUR' };
  const event = (id: string, change: object) =>
    JSON.stringify({ id, type: 'payment.requested', data: { ...data, ...change } });
  return [
    'this is not JSON',
    '{"id": "bad-1", "type": "payment.requested"',
    JSON.stringify({ id: 'bad-2', type: 'payment.imagined', data }),
    JSON.stringify({ type: 'payment.requested', data }),
    event('bad-3', { amount: -5 }),
    event('bad-4', { amount: '1.50' }),
    event('bad-5', { currency: 'EURO' }),
    event('bad-6', { destination: 'nobody:EUR' }),
    event('bad-7', { destination: 'merchant:NOK' }),
    event('bad-8', { colour: 'blue' }),
  ];
}

/** What every account must hold in the end, in minor units. */
export function expectedBalances({ accounts, funding, overHttp, overSqs }: Plan): Map<string, bigint> {
  const balances = new Map(accounts.map(({ id }) => [id, 0n]));
  for (const { body, outcome } of [...funding, ...overHttp, ...overSqs]) {
    if (outcome === 'refused') continue;
    balances.set(body.source, balances.get(body.source)! - BigInt(body.amount));
    balances.set(body.destination, balances.get(body.destination)! + BigInt(body.amount));
  }
  return balances;
}
