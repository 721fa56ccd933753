/** A scenario as a script for k6. */
import type { ExportedFile } from './export.ts';
import { apiCalls, atOnce, DECLINED, fileName, heading, type Plan } from './export-plan.ts';
import type { Profile } from './scenario.ts';
import { arrivalsOf, type OpenProfile, type Segment, segmentsOf } from './segments.ts';

const VUS_PER_PREALLOCATED = 4;
/** k6 takes whole numbers: of arrivals in a thousand seconds where they are none in a second. */
const SECONDS_OF_FRACTIONS = 1_000;

export function toK6(plan: Plan): ExportedFile[] {
  const name = fileName(plan, 'js');
  const comment = heading(plan, 'k6', [`KVITT_API_KEY=... k6 run ${name}`], limitsOf(plan));
  const text = ['/*', ...comment.map((line) => ` * ${line}`.trimEnd()), ' */', IMPORTS, constants(plan), SCRIPT];
  return [{ name, text: text.join('\n') }];
}

function limitsOf(plan: Plan): string[] {
  const { profile, arrivals } = plan.scenario;
  const open = [
    'An arrival that finds all virtual users busy is dropped and counted in dropped_iterations.',
    ...(arrivals === 'poisson' ? ['Users arrive at equal distances: k6 has no independent (Poisson) arrivals.'] : []),
  ];
  return [apiCalls(plan), DECLINED, ...(profile.kind === 'closed' ? [] : open)];
}

function constants(plan: Plan): string {
  const { scenario, target, run, seed } = plan;
  const { currency, population, journeys, profile } = scenario;
  const values = { TARGET: target, RUN: run, CURRENCY: currency, SEED: seed >>> 0, POPULATION: population };
  const lines = Object.entries({
    ...values,
    JOURNEYS: journeys.map(({ name, weight, steps }) => ({ name, weight, steps })),
  });
  const thresholds = {
    http_req_failed: ['rate<0.01'],
    checks: ['rate>0.99'],
    ...(profile.kind === 'closed' ? {} : { dropped_iterations: [`count<${droppedMax(profile)}`] }),
  };
  const options = {
    scenarios: { users: executorOf(profile, atOnce(plan, true)) },
    thresholds,
    summaryTrendStats: ['avg', 'med', 'p(90)', 'p(95)', 'p(99)', 'p(99.9)', 'max'],
  };
  return [
    ...lines.map(([name, value]) => `const ${name} = ${JSON.stringify(value, null, 2)};`),
    '',
    `export const options = ${JSON.stringify(options, null, 2)};`,
  ].join('\n');
}

function executorOf(profile: Profile, users: number): object {
  if (profile.kind === 'closed') {
    return { executor: 'constant-vus', vus: profile.users, duration: milliseconds(profile.seconds) };
  }
  const segments = segmentsOf(profile);
  const isWhole = segments.every(({ from, to }) => Number.isInteger(from) && Number.isInteger(to));
  const unit = isWhole ? 1 : SECONDS_OF_FRACTIONS;
  const vus = { preAllocatedVUs: users, maxVUs: users * VUS_PER_PREALLOCATED };
  if (profile.kind === 'constant' && profile.perSecond * unit >= 1) {
    const rate = Math.round(profile.perSecond * unit);
    return {
      executor: 'constant-arrival-rate',
      rate,
      timeUnit: `${unit}s`,
      duration: milliseconds(profile.seconds),
      ...vus,
    };
  }
  const startRate = Math.round((segments[0]?.from ?? 0) * unit);
  return {
    executor: 'ramping-arrival-rate',
    startRate,
    timeUnit: `${unit}s`,
    stages: stagesOf(segments, unit),
    ...vus,
  };
}

/** A stage leads from where the one before ended: a jump is one of no length. */
function stagesOf(segments: readonly Segment[], unit: number): { target: number; duration: string }[] {
  return segments.flatMap(({ from, to, seconds }, index) => {
    const before = index === 0 ? from : segments[index - 1]!.to;
    const jump = before === from ? [] : [{ target: Math.round(from * unit), duration: '0s' }];
    return [...jump, { target: Math.round(to * unit), duration: milliseconds(seconds) }];
  });
}

/** One in a hundred, as of the others. */
function droppedMax(profile: OpenProfile): number {
  return Math.max(1, Math.floor(arrivalsOf(segmentsOf(profile)) / 100));
}

function milliseconds(seconds: number): string {
  return `${Math.max(1, Math.round(seconds * 1_000))}ms`;
}

const IMPORTS = `
import { check, sleep } from 'k6';
import { SharedArray } from 'k6/data';
import exec from 'k6/execution';
import http from 'k6/http';

const KEY = __ENV.KVITT_API_KEY;`;

const SCRIPT = `
// Running sums of the merchants' shares by Zipf's law, kept once for all virtual users.
const SHARES = new SharedArray('merchants', () => {
  let sum = 0;
  return Array.from({ length: POPULATION.merchants }, (_, index) => {
    sum += Math.pow(index + 1, -POPULATION.merchantSkew);
    return sum;
  });
});
const WEIGHT = JOURNEYS.reduce((sum, journey) => sum + journey.weight, 0);

export function setup() {
  if (!KEY) throw new Error('KVITT_API_KEY must hold an API key');
  // Another run with the same accounts must not repeat the idempotency keys of this one.
  return { started: Date.now().toString(36) };
}

export default function ({ started }) {
  const iteration = exec.scenario.iterationInTest;
  const user = newUser(\`\${RUN}-\${started}-\${iteration}\`, randomOf(iteration));
  for (const step of chooseJourney(user.random).steps) {
    if (!STEPS[step.do](user, step)) return;
  }
}

function newUser(id, random) {
  const wallet = \`lt:\${RUN}:w:\${Math.floor(random() * POPULATION.wallets)}\`;
  return { id, random, wallet, calls: 0, bought: null, authorized: null };
}

// Each answers whether the journey goes on.
const STEPS = {
  open_wallet(user) {
    const id = \`lt:\${RUN}:n:\${user.id.slice(RUN.length + 1)}-\${user.calls}\`;
    user.wallet = id;
    return post(user, 'open_wallet', '/v1/accounts', { id, currency: CURRENCY }) !== null;
  },
  top_up(user, step) {
    return pay(user, 'top_up', \`world:\${CURRENCY}\`, user.wallet, step) !== null;
  },
  buy(user, step) {
    user.bought = pay(user, 'buy', user.wallet, chooseMerchant(user.random), step);
    return user.bought !== null;
  },
  authorize(user, step) {
    user.authorized = pay(user, 'authorize', user.wallet, chooseMerchant(user.random), step, { capture: 'manual' });
    return user.authorized !== null;
  },
  capture(user) {
    return post(user, 'capture', \`/v1/payments/\${user.authorized}/capture\`, {}) !== null;
  },
  refund(user) {
    return post(user, 'refund', \`/v1/payments/\${user.bought}/refund\`, {}) !== null;
  },
  check_balance(user) {
    return get('check_balance', \`/v1/accounts/\${user.wallet}/balance\`);
  },
  list_payments(user) {
    return get('list_payments', \`/v1/payments?account=\${user.wallet}\`);
  },
  think(user, step) {
    sleep(step.seconds * Math.min(5, -Math.log(1 - user.random())));
    return true;
  },
};

function pay(user, name, source, destination, { amount }, more) {
  const drawn = amount.from + Math.floor(user.random() * (amount.to - amount.from + 1));
  const body = { source, destination, amount: drawn, currency: CURRENCY, reference: \`\${user.id}-\${user.calls}\` };
  return post(user, name, '/v1/payments', { ...body, ...more });
}

// Answers the id of what was made; null: it was not.
function post(user, name, path, body) {
  const headers = {
    authorization: \`Bearer \${KEY}\`,
    'content-type': 'application/json',
    'idempotency-key': \`\${user.id}-\${user.calls++}\`,
  };
  const response = http.post(TARGET + path, JSON.stringify(body), { headers, tags: { name } });
  return succeeded(name, response) ? response.json('id') : null;
}

function get(name, path) {
  return succeeded(name, http.get(TARGET + path, { headers: { authorization: \`Bearer \${KEY}\` }, tags: { name } }));
}

function succeeded(name, response) {
  return check(response, { [\`\${name}: success\`]: ({ status }) => status >= 200 && status < 300 });
}

function chooseJourney(random) {
  let left = random() * WEIGHT;
  return JOURNEYS.find(({ weight }) => (left -= weight) < 0) || JOURNEYS[JOURNEYS.length - 1];
}

function chooseMerchant(random) {
  const value = random() * SHARES[SHARES.length - 1];
  let low = 0;
  let high = SHARES.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (SHARES[middle] > value) high = middle;
    else low = middle + 1;
  }
  return \`lt:\${RUN}:m:\${low}\`;
}

// The same values for the same seed and iteration, whichever virtual user it falls to.
function randomOf(iteration) {
  let state = (SEED + Math.imul(iteration + 1, 0x9e3779b1)) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
`;
