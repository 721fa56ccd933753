/** The steps of a journey as JMeter's elements; what is left to chance they take from columns `v0`, `v1` ... of a table. */
import { bool, element, filled, headers, type Node, pause, string } from './export-jmeter-xml.ts';
import type { Scenario, Step } from './scenario.ts';

type DrawnStep = Extract<Step, { amount: unknown } | { do: 'think' }>;

/** What a column holds: the number of a merchant, an amount, or how long a user thinks in milliseconds. */
export type Cell = { readonly kind: 'merchant' } | { readonly kind: 'value'; readonly step: DrawnStep };

export interface Where {
  readonly target: URL;
  readonly run: string;
  readonly currency: string;
}

interface Request {
  readonly path: string;
  /** null: it is a GET. */
  readonly body: object | null;
  /** The variable that holds the id of the payment from then on. */
  readonly id?: string;
}

/** What is unique to a user, and to this run of the plan. */
const USER = `${filled('__P(TESTSTART.MS)')}-${filled('user')}`;
const PAYMENT_ID = '"id":"(pay_[0-9A-Za-z-]+)"';

/** Those of a whole journey, in the order of its steps. */
export function columnsOf(steps: readonly Step[]): Cell[] {
  return steps.flatMap(cellsOf);
}

function cellsOf(step: Step): Cell[] {
  if (step.do === 'buy' || step.do === 'authorize') return [{ kind: 'merchant' }, { kind: 'value', step }];
  return step.do === 'top_up' || step.do === 'think' ? [{ kind: 'value', step }] : [];
}

export function journeyTree({ name, steps }: Scenario['journeys'][number], where: Where): Node {
  let wallet = `lt:${where.run}:w:${filled('wallet')}`;
  let column = 0;
  const below = steps.map((step, index) => {
    if (step.do === 'open_wallet') wallet = `lt:${where.run}:n:${USER}-${index}`;
    const first = column;
    column += cellsOf(step).length;
    if (step.do === 'think') return pause('think', filled(`v${first}`));
    const key = `${where.run}-${USER}-${index}`;
    return sampler(step.do, requestOf(step, first, wallet, key, where), key, where);
  });
  return element('GenericController', 'LogicControllerGui', name, [], below);
}

function requestOf(
  step: Exclude<Step, { do: 'think' }>,
  column: number,
  wallet: string,
  reference: string,
  { run, currency }: Where,
): Request {
  const pay = (source: string, destination: string, amount: number, more: object = {}) => {
    return { source, destination, amount: filled(`v${amount}`), currency, reference, ...more };
  };
  const merchant = `lt:${run}:m:${filled(`v${column}`)}`;
  switch (step.do) {
    case 'open_wallet':
      return { path: '/v1/accounts', body: { id: wallet, currency } };
    case 'top_up':
      return { path: '/v1/payments', body: pay(`world:${currency}`, wallet, column) };
    case 'buy':
      return { path: '/v1/payments', body: pay(wallet, merchant, column + 1), id: 'bought' };
    case 'authorize': {
      const body = pay(wallet, merchant, column + 1, { capture: 'manual' });
      return { path: '/v1/payments', body, id: 'authorized' };
    }
    case 'capture':
      return { path: `/v1/payments/${filled('authorized')}/capture`, body: {} };
    case 'refund':
      return { path: `/v1/payments/${filled('bought')}/refund`, body: {} };
    case 'check_balance':
      return { path: `/v1/accounts/${wallet}/balance`, body: null };
    case 'list_payments':
      return { path: `/v1/payments?account=${wallet}`, body: null };
  }
}

function sampler(name: string, { path, body, id }: Request, key: string, { target }: Where): Node {
  const properties = [
    bool('HTTPSampler.postBodyRaw', body !== null),
    argumentsOf(body),
    string('HTTPSampler.domain', target.hostname),
    string('HTTPSampler.port', target.port),
    string('HTTPSampler.protocol', target.protocol.slice(0, -1)),
    string('HTTPSampler.path', path),
    string('HTTPSampler.method', body === null ? 'GET' : 'POST'),
    string('HTTPSampler.implementation', 'HttpClient4'),
    bool('HTTPSampler.follow_redirects', false),
    bool('HTTPSampler.use_keepalive', true),
  ];
  const keyed = body === null ? [] : [headers('Key', { 'idempotency-key': key })];
  const extracted = id === undefined ? [] : [extractor(id)];
  return element('HTTPSamplerProxy', 'HttpTestSampleGui', name, properties, [...keyed, ...extracted]);
}

function argumentsOf(body: object | null): string {
  const argument =
    body === null
      ? ''
      : `<elementProp name="" elementType="HTTPArgument">${bool('HTTPArgument.always_encode', false)}${string('Argument.value', JSON.stringify(body))}${string('Argument.metadata', '=')}</elementProp>`;
  const all = `<collectionProp name="Arguments.arguments">${argument}</collectionProp>`;
  return `<elementProp name="HTTPsampler.Arguments" elementType="Arguments">${all}</elementProp>`;
}

function extractor(variable: string): Node {
  return element('RegexExtractor', 'RegexExtractorGui', `Id: ${variable}`, [
    string('RegexExtractor.useHeaders', 'false'),
    string('RegexExtractor.refname', variable),
    string('RegexExtractor.regex', PAYMENT_ID),
    string('RegexExtractor.template', '$1$'),
    string('RegexExtractor.default', 'none'),
    string('RegexExtractor.match_number', '1'),
  ]);
}
