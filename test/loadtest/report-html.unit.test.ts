import { describe, expect, it } from 'vitest';
import { compareRuns } from '../../src/loadtest/compare.ts';
import { renderComparisonHtml, renderLadderHtml, renderRunHtml } from '../../src/loadtest/report-html.ts';
import type { Outcome, RunResult } from '../../src/loadtest/result.ts';
import { attribute, elementsIn, type Page, pageOf, textOf } from '../support/html-page.ts';
import { ladderOf } from './support/ladder.ts';
import { simulatedRun } from './support/simulated-run.ts';

const HOSTILE = `</title></style><script>alert(1)</script><img src=x onerror="alert('2')">&\u202e\u0000`;

const run = simulatedRun({ seed: 1, errorShare: 0.02 });
const comparison = compareRuns([simulatedRun({ seed: 2 })], [simulatedRun({ seed: 4, factor: 1.3, errorShare: 0.01 })]);
const pages: readonly (readonly [name: string, text: string])[] = [
  ['a run', renderRunHtml(run)],
  ['a run with all there may be', renderRunHtml(run, { comparison, ladder: ladderOf() })],
  ['a comparison', renderComparisonHtml(comparison)],
  ['a ladder', renderLadderHtml(ladderOf())],
];

function changed(change: Partial<RunResult>): Page {
  return pageOf(renderRunHtml({ ...run, ...change }));
}

function classed(page: Page, name: string): number {
  return page.elements.filter((one) => (attribute(one, 'class') ?? '').split(' ').includes(name)).length;
}

/** In the head of the page, before any picture. */
function top(page: Page): string {
  return textOf(page.all('header')[0]!);
}

describe.each(pages)('the page of %s', (_name, text) => {
  const page = pageOf(text);

  it('needs nothing from elsewhere and runs nothing', () => {
    expect(page.all('script')).toHaveLength(0);
    for (const element of page.elements) {
      for (const { name, value } of element.attrs) {
        expect(['src', 'srcset', 'style', 'action', 'data', 'xlink:href']).not.toContain(name);
        expect(name).not.toMatch(/^on/);
        if (name === 'href') expect(value).toMatch(/^#/);
      }
    }
    expect(textOf(page.all('style')[0]!)).not.toMatch(/url\((?!#)|@import/);
    const policy = page.all('meta').find((one) => attribute(one, 'http-equiv') === 'Content-Security-Policy')!;
    expect(attribute(policy, 'content')).toContain("default-src 'none'");
  });

  it('has each id once, and all that links and labels point to', () => {
    const ids = page.elements.flatMap((one) => attribute(one, 'id') ?? []);
    expect(ids).toEqual([...new Set(ids)]);
    for (const element of page.elements) {
      const wanted = (attribute(element, 'aria-labelledby') ?? '').split(' ').filter(Boolean);
      const link = attribute(element, 'href');
      for (const id of link === undefined ? wanted : [link.slice(1)]) expect(ids).toContain(id);
    }
  });

  it('tells what is in each picture to those who do not see it', () => {
    const pictures = page.all('svg').filter((one) => attribute(one, 'aria-hidden') !== 'true');
    expect(pictures.length).toBeGreaterThan(1);
    for (const picture of pictures) {
      expect(attribute(picture, 'role')).toBe('img');
      const inside = elementsIn(picture);
      expect(textOf(inside.find(({ tagName }) => tagName === 'title')!)).not.toBe('');
      expect(textOf(inside.find(({ tagName }) => tagName === 'desc')!)).not.toBe('');
    }
  });

  it('has no number that is none', () => {
    expect(text).not.toMatch(/NaN|Infinity|undefined|\[object/);
  });
});

describe('the page of a run', () => {
  it('says at the top whether it is valid, that the ledger is right, the rate, percentiles and errors', () => {
    const page = changed({
      perSecond: 1_234.4,
      latencyMs: { mean: 5, p50: 4.56, p90: 7, p95: 8, p99: 23.4, p999: 145, max: 1_500 },
      errorShare: 0.0123,
    });
    expect(page.verdict).toContain('Valid, ledger verified, 1.2 % errors.');
    expect(page.verdict).toContain('The ledger is right');
    expect(page.verdict).toContain('generator kept to its schedule');
    for (const said of ['1,234a second', '4.56 ms', '23.4 ms', '145 ms', '1.2 %']) {
      expect(top(page).replace(/\s+a second/g, 'a second')).toContain(said);
    }
    expect(textOf(page.all('title')[0]!)).toBe('Valid, ledger verified, 1.2 % errors: Load test kick-off');
  });

  it('says loudly that money is wrong, with the first faults', () => {
    const faults = Array.from({ length: 9 }, (_, at) => `payment pay_${at} is missing`);
    const page = changed({ ledger: { ...run.ledger, ok: false, once: run.ledger.once - 9, faults } });
    expect(page.verdict).toMatch(/^✗LEDGER WRONG\. MONEY IS WRONG: of [\d,]+ acknowledged operations 9 were not found/);
    expect(page.verdict).toContain('payment pay_0 is missing');
    expect(page.verdict).not.toContain('payment pay_8 is missing');
    expect(page.text('ledger')).toContain('payment pay_8 is missing');
    expect(textOf(page.all('title')[0]!)).toMatch(/^LEDGER WRONG/);
    expect(classed(page, 'verdict')).toBe(1);
    expect(page.elements.some((one) => attribute(one, 'role') === 'alert')).toBe(true);
  });

  it('says loudly that the numbers do not count, and why', () => {
    const page = changed({ validity: { valid: false, reasons: ['calls were 80 ms late', 'the processor was full'] } });
    expect(page.verdict).toMatch(
      /^✗NOT VALID\. The numbers do not count.*calls were 80 ms late; the processor was full/,
    );
    expect(page.verdict).not.toContain('kept to its schedule');
    expect(page.text('generator')).toContain('calls were 80 ms late');
  });

  it('says money first when both are wrong', () => {
    const page = changed({
      validity: { valid: false, reasons: [] },
      ledger: { ...run.ledger, ok: false, faults: ['the balance of acc_1 is wrong'] },
    });
    expect(page.verdict).toMatch(/^✗LEDGER WRONG, NOT VALID\. MONEY IS WRONG/);
  });

  it('does not call it a success when nothing was done, or much went wrong', () => {
    const { counts } = run;
    const none = changed({ counts: { ...counts, ok: 0, declined: 0 }, errorShare: 1 });
    expect(none.verdict).toMatch(/^✗NOTHING DONE, 100 % ERRORS\./);
    expect(changed({ errorShare: 0.3 }).verdict).toMatch(/^✗30 % ERRORS\./);
  });

  it('says how many it was never known of', () => {
    const page = changed({ ledger: { ...run.ledger, unknown: 3 } });
    expect(page.verdict).toContain('Of 3 it was never known');
  });

  it('says that a closed load tells nothing about latency', () => {
    const { scenario } = run;
    const page = changed({ scenario: { ...scenario, profile: { kind: 'closed', users: 50, seconds: 60 } } });
    expect(page.verdict).toContain('nothing about latency');
  });

  it('has a picture for each thing there is to see', () => {
    const page = changed({});
    const ids = page.all('svg').flatMap((one) => attribute(one, 'aria-labelledby')?.split('-title')[0] ?? []);
    expect(ids).toEqual(
      expect.arrayContaining([
        ...['rates', 'errors', 'percentiles', 'heat', 'curve', 'histogram', 'ranges', 'outstanding', 'lag'],
        ...['resource-0', 'resource-7'],
      ]),
    );
    expect(page.text('resources')).toContain('service 127.0.0.1:8080');
    expect(page.text('resources')).toContain('queue depth');
  });

  it('draws each outcome in its own pattern and names those that there were', () => {
    const page = changed({});
    const outcomes: Outcome[] = ['ok', 'declined', 'refused', 'unknown'];
    for (const outcome of outcomes) expect(classed(page, `o-${outcome}`)).toBeGreaterThan(1);
    expect(classed(page, 'o-failed')).toBe(0);
    expect(page.text('rates')).toContain('turned away with 503 or 429');
    expect(page.text('rates')).not.toContain('not sent, as too many were unanswered');
  });

  it('has a row for each operation, and one for all', () => {
    const page = changed({});
    const rows = page.rows('operations');
    expect(rows.map(([name]) => name)).toEqual([
      ...['Open a wallet', 'Top up', 'Buy', 'Buy, by the queue', 'Check the balance', 'List payments', 'Refund'],
    ]);
    expect(textOf(page.all('tfoot')[0]!)).toContain('All');
  });

  it('has answers that were no success', () => {
    const examples = [{ operation: 'buy', outcome: 'failed', answer: '500 Internal Server Error' }] as const;
    expect(changed({ examples }).rows('examples')).toEqual([['Buy', 'failed', '500 Internal Server Error']]);
  });

  it('says at the top what changed, and which layer is the bottleneck', () => {
    const page = pageOf(renderRunHtml(run, { comparison, ladder: ladderOf() }));
    expect(top(page)).toMatch(/Compared with before: Worse: p50 \+\d+ %/);
    expect(top(page)).toContain('The bottleneck is the disk (mongod primary)');
    expect(page.text('comparison')).toContain('speaks about these runs only');
    expect(page.text('ladder')).toContain('The disk was busy 94 % of the time.');
  });

  it('shows text of others as text, wherever it comes from', () => {
    const { scenario, machine, ledger, resources } = run;
    const page = changed({
      id: HOSTILE,
      label: HOSTILE,
      startedAt: HOSTILE,
      scenario: { ...scenario, name: HOSTILE, description: HOSTILE, currency: HOSTILE },
      target: { addresses: [HOSTILE], queue: HOSTILE },
      machine: { ...machine, model: HOSTILE, node: HOSTILE, kvitt: HOSTILE },
      resources: [{ ...resources[0]!, of: HOSTILE, name: HOSTILE }],
      validity: { valid: false, reasons: [HOSTILE] },
      ledger: { ...ledger, ok: false, faults: [HOSTILE] },
      examples: [{ operation: 'buy', outcome: 'failed', answer: HOSTILE }],
    });
    expect(page.all('script')).toHaveLength(0);
    expect(page.all('img')).toHaveLength(0);
    for (const character of ['\u202e', '\u0000']) expect(page.source).not.toContain(character);
    for (const id of ['subject', 'ledger', 'examples', 'resources', 'generator']) {
      expect(page.text(id)).toContain('<script>alert(1)</script>');
    }
  });

  it('is made of runs of one second, of none, and of none that was answered', () => {
    const nothing = simulatedRun({ seed: 1, seconds: 1, perSecond: 0 });
    const runs = [
      simulatedRun({ seed: 1, seconds: 1 }),
      nothing,
      { ...nothing, timeline: [], operations: [], resources: [], seconds: 0.4 },
      simulatedRun({ seed: 1, seconds: 3, errorShare: 1 }),
      simulatedRun({ seed: 1, seconds: 5, shape: (at) => (at === 2 ? 0 : 1) }),
    ];
    for (const one of runs) {
      const page = pageOf(renderRunHtml(one));
      expect(page.source).not.toMatch(/NaN|Infinity|undefined/);
      expect(page.text('rates')).not.toBe('');
    }
    expect(pageOf(renderRunHtml(nothing)).text('latency')).toContain('Nothing was answered.');
  });

  it('of an hour is no larger than can be mailed, and says how many seconds are together', () => {
    const text = renderRunHtml(simulatedRun({ seed: 1, seconds: 3_600, perSecond: 400, errorShare: 0.01 }), {
      comparison,
      ladder: ladderOf(),
    });
    expect(text.length).toBeLessThan(2_000_000);
    expect(pageOf(text).text('rates')).toContain('Each step is 15 seconds');
  });
});

describe('the page of a comparison', () => {
  const page = pageOf(renderComparisonHtml(comparison));

  it('says at the top what is worse', () => {
    expect(page.verdict).toMatch(/Worse: p50 \+\d+ %, p90 \+\d+ %, p99 \+\d+ %/);
  });

  it('has each figure with its interval, and the curves of both', () => {
    const rows = new Map(page.rows('comparison').map(([name, ...cells]) => [name, cells]));
    expect(rows.get('p99')).toHaveLength(7);
    expect(rows.get('p99')![3]).toMatch(/^\+\d+ % to \+\d+ %$/);
    expect(rows.get('p99')!.at(-1)).toBe('worse');
    expect(rows.get('Errors')![2]).toMatch(/^\+.* points$/);
    expect(rows.get('p99 of buy')!.at(-1)).toBe('not tested');
    expect(page.text('compared-curve-desc')).toMatch(/^before: p50 .* after: p50 /);
  });

  it('says what makes it doubtful, and that nothing found is no proof', () => {
    const odd = simulatedRun({ seed: 5, change: { label: HOSTILE, validity: { valid: false, reasons: [HOSTILE] } } });
    const doubtful = pageOf(renderComparisonHtml(compareRuns([odd], [odd])));
    expect(doubtful.verdict).toContain('which does not prove that there is none');
    expect(doubtful.verdict).toContain('is not valid: </title></style><script>');
    expect(doubtful.all('script')).toHaveLength(0);
  });

  it('is made of runs of which nothing can be told', () => {
    const none = simulatedRun({ seed: 1, perSecond: 0 });
    expect(pageOf(renderComparisonHtml(compareRuns([none], [none]))).text('comparison')).toContain(
      'nothing to compare',
    );
    const short = simulatedRun({ seed: 1, seconds: 12 });
    expect(pageOf(renderComparisonHtml(compareRuns([short], [short]))).verdict).toContain('was not tested');
  });
});

describe('the page of a ladder', () => {
  it('says at the top which layer is the bottleneck, why, and what to do', () => {
    const { verdict } = pageOf(renderLadderHtml(ladderOf()));
    expect(verdict).toContain('The bottleneck is the disk (mongod primary).');
    expect(verdict).toContain('117 %');
    expect(verdict).toContain('Put the journal on a disk of its own');
  });

  it('has each layer alone, where the time goes, and layers that could not keep up', () => {
    const page = pageOf(renderLadderHtml(ladderOf()));
    expect(page.text('layers-desc')).toContain('haproxy 18,400');
    expect(page.text('stack-desc')).toContain('journal 2.92 ms');
    expect(page.text('ladder')).toContain('could not keep up with this rate');
  });

  it('does not blame a layer when it is not clear, and is made of nothing too', () => {
    const unclear = { bottleneck: 'unclear', where: '', score: 0, because: [], remedy: 'Measure for longer.' } as const;
    expect(pageOf(renderLadderHtml(ladderOf({ findings: [unclear] }))).verdict).toContain('is not clear');
    const empty = renderLadderHtml(ladderOf({ layers: [], stack: [], resources: [], findings: [] }));
    expect(empty).not.toMatch(/NaN|Infinity|undefined/);
    expect(pageOf(empty).text('ladder')).toContain('No layer was measured.');
  });

  it('shows text of others as text', () => {
    const { layers, findings, stack } = ladderOf();
    const page = pageOf(
      renderLadderHtml(
        ladderOf({
          layers: [{ ...layers[0]!, name: HOSTILE }],
          stack: [{ ...stack[0]!, name: HOSTILE }],
          findings: [{ ...findings[0]!, where: HOSTILE, because: [HOSTILE], remedy: HOSTILE }],
        }),
      ),
    );
    expect(page.all('script')).toHaveLength(0);
    expect(page.text('ladder')).toContain('<script>alert(1)</script>');
  });
});
