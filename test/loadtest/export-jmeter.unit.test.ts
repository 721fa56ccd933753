import * as fc from 'fast-check';
import { SaxesParser } from 'saxes';
import { describe, expect, it } from 'vitest';
import { zipfWeights } from '../../src/loadtest/choice.ts';
import { exportScenario } from '../../src/loadtest/export.ts';
import type { Scenario } from '../../src/loadtest/scenario.ts';
import { arrivalTimes, segmentsOf } from '../../src/loadtest/segments.ts';
import { countsOf, expectAcceptable, expectShares, type SentCall } from './support/calls.ts';
import { AMOUNT, aScenario, EVERY_STEP, openProfile, TARGET } from './support/scenarios.ts';

/** What JMeter replaces by the property that it is given. */
const KEY = `\${__P(key)}`;

interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: Element[];
  text: string;
}

function filesOf(scenario: Scenario): { plan: Element; table: number[][]; text: string } {
  const [plan, table] = exportScenario(scenario, 'jmeter', TARGET);
  const rows = table!.text.trim().split('\n');
  return { plan: parsed(plan!.text), table: rows.map((row) => row.split(',').map(Number)), text: plan!.text };
}

describe('a plan for JMeter', () => {
  it('sends calls that the API accepts', () => {
    const { plan } = filesOf(aScenario({ journeys: EVERY_STEP }));
    const calls = callsOf(plan);
    for (const call of calls) expectAcceptable(call, KEY);
    const keys = calls.flatMap(({ headers }) => headers['idempotency-key'] ?? []);
    expect(calls.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'POST /v1/accounts',
      'POST /v1/payments',
      'POST /v1/payments',
      'POST /v1/payments/pay_7/refund',
      'GET /v1/accounts/lt:r1:n:7-7-0/balance',
      'POST /v1/payments',
      'POST /v1/payments/pay_7/capture',
      'GET /v1/payments?account=lt:r1:w:7',
    ]);
    expect(keys).toEqual(['r1-7-7-0', 'r1-7-7-1', 'r1-7-7-3', 'r1-7-7-4', 'r1-7-7-0', 'r1-7-7-1']);
  });

  it('has each element followed by what is below it', async () => {
    const { plan } = filesOf(aScenario({ journeys: EVERY_STEP }));
    for (const tree of all(plan, 'hashTree')) {
      tree.children.forEach(({ name }, index) => {
        expect(name === 'hashTree').toBe(index % 2 === 1);
      });
      expect(tree.children.length % 2).toBe(0);
    }
  });

  it('holds no key: it is a property', () => {
    const { text } = filesOf(aScenario());
    expect(text).toContain(`Bearer ${KEY}`);
    expect(text).toContain('-Jkey=...');
  });

  it('has a line for each user, at the time when the user arrives', async () => {
    await fc.assert(
      fc.property(openProfile, (profile) => {
        const due = [...arrivalTimes(segmentsOf(profile), 0, () => 1)].map((time) => Math.round(time * 1_000));
        fc.pre(due.length > 0);
        expect(filesOf(aScenario({ profile })).table.map(([at]) => at)).toEqual(due);
      }),
      { numRuns: 30 },
    );
  });

  it('has independent arrivals where the scenario has', () => {
    const profile = { kind: 'constant', perSecond: 200, seconds: 20 } as const;
    const { table } = filesOf(aScenario({ profile, arrivals: 'poisson' }));
    expect(Math.abs(table.length - 4_000)).toBeLessThan(5 * Math.sqrt(4_000));
    const distances = table.slice(1).map(([at], index) => at! - table[index]![0]!);
    const long = distances.filter((distance) => distance > 5).length;
    expectShares([long, distances.length - long], [Math.exp(-1.1), 1 - Math.exp(-1.1)]);
  });

  it('draws journeys by weight, merchants by the law of Zipf, wallets evenly, amounts within their bounds', () => {
    const profile = { kind: 'constant', perSecond: 1_000, seconds: 8 } as const;
    const { table } = filesOf(aScenario({ journeys: EVERY_STEP, profile }));
    const shareOf = (values: (number | undefined)[], count: number) => {
      const counts = countsOf(values);
      return Array.from({ length: count }, (_, index) => counts.get(index) ?? 0);
    };
    expectShares(
      shareOf(
        table.map(([, journey]) => journey),
        2,
      ),
      [1, 3],
    );
    expectShares(
      shareOf(
        table.map(([, , wallet]) => wallet),
        50,
      ),
      new Array(50).fill(1),
    );
    const bookings = table.filter(([, journey]) => journey === 1);
    expectShares(
      shareOf(
        bookings.map((row) => row[3]),
        8,
      ),
      zipfWeights(8, 1),
    );
    for (const row of bookings) expect(row[4]! >= AMOUNT.from && row[4]! <= AMOUNT.to).toBe(true);
    expect(new Set(table.map(({ length }) => length))).toEqual(new Set([7]));
  });

  it('has as many threads as a closed profile has users, who wait for nothing', () => {
    const { plan, table } = filesOf(aScenario({ profile: { kind: 'closed', users: 12, seconds: 30 } }));
    expect(property(plan, 'ThreadGroup.num_threads')).toBe('12');
    expect(property(plan, 'ThreadGroup.duration')).toBe('30');
    expect([property(plan, 'recycle'), property(plan, 'stopThread')]).toEqual(['true', 'false']);
    expect(all(plan, 'TestAction')).toEqual([]);
    expect(table.length).toBe(50_000);
  });

  it('is refused for more users than a table can have', () => {
    const profile = { kind: 'constant', perSecond: 10_000, seconds: 1_000 } as const;
    expect(() => filesOf(aScenario({ profile }))).toThrow(/table of 10000000 users/);
  });
});

function parsed(text: string): Element {
  const root: Element = { name: '', attributes: {}, children: [], text: '' };
  const open = [root];
  const parser = new SaxesParser();
  parser.on('opentag', ({ name, attributes }) => {
    const element = { name, attributes, children: [], text: '' };
    open.at(-1)!.children.push(element);
    open.push(element);
  });
  parser.on('text', (more) => {
    open.at(-1)!.text += more;
  });
  parser.on('closetag', () => {
    open.pop();
  });
  parser.write(text).close();
  return root;
}

function all(element: Element, name: string): Element[] {
  return element.children.flatMap((child) => [...(child.name === name ? [child] : []), ...all(child, name)]);
}

function property(element: Element, name: string): string | undefined {
  const own = element.children.find(({ attributes }) => attributes.name === name);
  if (own !== undefined) return own.text;
  return element.children.map((child) => property(child, name)).find((value) => value !== undefined);
}

/** With 7 for each variable, or what an id looks like. */
function callsOf(plan: Element): SentCall[] {
  const common = all(plan, 'HeaderManager')[0]!;
  return all(plan, 'hashTree').flatMap(({ children }) =>
    children.flatMap((child, index) => {
      if (child.name !== 'HTTPSamplerProxy') return [];
      const own = all(children[index + 1]!, 'HeaderManager');
      const headers = Object.assign({}, ...[common, ...own].map(headersOf));
      const body = property(child, 'Argument.value');
      return {
        method: property(child, 'HTTPSampler.method')!,
        path: filled(property(child, 'HTTPSampler.path')!),
        headers,
        body: body === undefined ? null : filled(body),
      };
    }),
  );
}

function headersOf(manager: Element): Record<string, string> {
  const headers = all(manager, 'elementProp');
  return Object.fromEntries(
    headers.map((header) => [property(header, 'Header.name')!, filled(property(header, 'Header.value')!)]),
  );
}

function filled(text: string): string {
  return text
    .replace(/\$\{(?:bought|authorized)\}/g, 'pay_7')
    .replace(/\$\{(?:[a-z][a-z0-9]*|__P\(TESTSTART\.MS\))\}/g, '7');
}
