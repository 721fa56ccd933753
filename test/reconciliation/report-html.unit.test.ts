import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { html } from '../../src/html/markup.ts';
import { CAUSES } from '../../src/matching/types.ts';
import { attribute, elementsIn, type Page, pageOf, textOf } from '../support/html-page.ts';
import {
  breakOf,
  causes,
  day,
  external,
  item,
  line,
  matchOf,
  reconciliation,
  reportOf,
  rules,
  type Scene,
  verified,
} from './report-scene.ts';

async function pageFor(scene: Scene): Promise<Page> {
  return pageOf((await reportOf(scene, 'html')).text);
}

const ageing = [
  { source: 'main-bank', cause: 'amount_differs', currency: 'EUR', ageDays: 2, count: 1, amount: 1_049n },
  { source: 'main-bank', cause: 'missing_here', currency: 'USD', ageDays: 91, count: 1_200, amount: 500n },
] as const;

describe('the report as HTML', () => {
  it('says first what came of it, then what was compared, the totals, pictures, breaks, matches, books and words', async () => {
    const page = await pageFor({ breaks: [breakOf()], matches: [matchOf(), matchOf({ lines: [2] })], ageing });
    expect(page.verdict).toContain(
      'NOT reconciled. 2 of 3 lines matched; 1 break needs somebody; the books are sound.',
    );
    expect(page.verdict).toContain('the source had 1,201 open breaks: 10.49 EUR, 5.00 USD.');
    expect(page.all('section').map((one) => attribute(one, 'id'))).toEqual([
      ...['subject', 'totals', 'pictures', 'breaks', 'matches', 'books', 'words'],
    ]);
    for (const said of [
      'november.xml',
      'c0ffee',
      'anna@example.com',
      '2026-11-28 13:29 UTC',
      '2026-11-25 to 2026-11-26',
    ]) {
      expect(page.text('subject')).toContain(said);
    }
    expect(page.text('subject')).toContain('1,000.00 EUR-2,500.50 EUR-3,500.50 EUR');
    expect(page.rows('totals')).toEqual([['EUR', '1,234,560.49', '1,234,560.50', '-0.01', '1,234,550.00']]);
    expect(page.text('books')).toContain('balanced');
    expect(page.text('books')).toContain('ab12'.repeat(16));
  });

  it('has the breaks with their causes in words', async () => {
    const breaks = [
      breakOf({ assignee: 'bo', line: line({ fee: 35n }) }),
      breakOf({ position: 2, cause: 'timing', line: null, reference: null, expectedBy: day('2026-11-29') }),
      breakOf({ position: 3, cause: 'currency_differs', item: item({ currency: 'USD' }) }),
    ];
    const [first, second, third] = (await pageFor({ breaks })).rows('breaks');
    expect(first).toEqual([
      ...['1', 'Amount differs', `INV-1Invoice INV-1${breaks[0]!.id}${item().id}`],
      ...[
        '10.49 EUR2026-11-26 · inline 3fee 0.35',
        '10.50 EUR2026-11-26 · inpayment',
        '-0.01 EUR',
        '2 days',
        'bo',
        'open',
      ],
    ]);
    expect(second).toMatchObject({
      1: 'Still under waymay come until 2026-11-29',
      3: '–',
      5: '-10.50 EUR',
      7: 'nobody',
    });
    expect(third).toMatchObject({ 4: '10.50 USD2026-11-26 · inpayment', 5: '–' });
  });

  it('shows the first 2,000 breaks and the first 500 doubtful matches, and says where the rest is', async () => {
    const breaks = Array.from({ length: 2_001 }, (_, at) => breakOf({ position: at + 1 }));
    const matches = Array.from({ length: 1_600 }, (_, at) => matchOf({ confidence: at < 1_000 ? 0.9 : 0.89 }));
    const many = reconciliation({ external: external({ breaksOpened: 2_001 }) });
    const page = await pageFor({ reconciliations: [many], breaks, matches });
    expect(page.rows('breaks')).toHaveLength(2_000);
    expect(page.text('breaks')).toContain('These are the first 2,000 of 2,001.');
    expect(page.rows('matches')).toHaveLength(500);
    expect(page.rows('matches')[0]?.slice(0, 3)).toEqual(['1,001', 'Same reference', 'likely (0.89)']);
    expect(page.text('matches')).toContain('These are the first 500 of 600.');
  });

  it('cannot be made to say or load anything by what files and people write', async () => {
    const hostile = `</style></title><script>alert(1)</script>"'><img src=x onerror=alert(1)>\u202e&amp;http\u0000`;
    const resolution = { by: hostile, at: new Date(0), how: 'reason', reason: hostile, transactionId: null } as const;
    const one = breakOf({
      ...{ reference: hostile, assignee: hostile, line: line({ text: hostile }), item: item({ id: hostile }) },
      comments: [{ by: hostile, at: new Date(0), text: hostile }],
      resolution: { ...resolution, reconciliation: null, rule: null },
    });
    const base = reconciliation();
    const bad = reconciliation({
      ...{ id: hostile, source: hostile, startedBy: hostile },
      file: {
        ...{ ...base.file!, name: hostile, sha256: hostile },
        statements: [{ ...base.file!.statements[0]!, id: hostile, account: hostile }],
      },
      internal: verified({
        ...{ ok: false, breakCount: 1 },
        breaks: [
          {
            kind: 'height_gap',
            book: 0,
            height: 1,
            entry: null,
            account: null,
            expected: hostile,
            actual: hostile,
            message: hostile,
          },
        ],
      }),
    });
    const matches = [matchOf({ confidence: 0.5, items: [hostile], breaks: [hostile] })];
    const page = await pageFor({ reconciliations: [bad], breaks: [one], matches, ageing });
    expect(page.all('script')).toHaveLength(1);
    expect(page.all('style')).toHaveLength(1);
    expect(page.all('img')).toEqual([]);
    expect(page.all('body')).toHaveLength(1);
    for (const character of ['\u0000', '\u202e']) expect(page.source).not.toContain(character);
    expect(page.rows('breaks')[0]?.[7]).toBe(hostile.replace('\u0000', '\ufffd').replace('\u202e', '\ufffd'));
    expect(page.elements.flatMap(({ attrs }) => attrs.filter(({ name }) => name.startsWith('on')))).toEqual([]);
  });

  it('loads nothing, and allows nothing but its own style and script', async () => {
    const page = await pageFor({ breaks: [breakOf()], matches: [matchOf()], ageing });
    expect(page.source).not.toMatch(/https?:|\/\/[a-z]|@import|url\((?!#)/i);
    for (const { attrs } of page.elements) {
      for (const { name, value } of attrs) {
        expect(['src', 'srcset', 'style', 'action', 'data']).not.toContain(name);
        if (name === 'href') expect(page.byId(value.slice(1)), value).toBeDefined();
      }
    }
    const policy = page.all('meta').find((one) => attribute(one, 'http-equiv') === 'Content-Security-Policy')!;
    const hash = (name: string) =>
      createHash('sha256')
        .update(textOf(page.all(name)[0]!))
        .digest('base64');
    expect(attribute(policy, 'content')).toBe(
      `default-src 'none'; style-src 'sha256-${hash('style')}'; script-src 'sha256-${hash('script')}'; base-uri 'none'; form-action 'none'`,
    );
  });

  it('can be read without seeing it', async () => {
    const page = await pageFor({ breaks: [breakOf()], matches: [matchOf({ confidence: 0.8 })], ageing });
    for (const head of page.all('th')) expect(['row', 'col']).toContain(attribute(head, 'scope'));
    for (const picture of page.all('svg')) {
      const ids = attribute(picture, 'aria-labelledby')!.split(' ');
      expect(ids.map((id) => page.byId(id).tagName)).toEqual(['title', 'desc']);
    }
    const ids = page.elements.flatMap((one) => attribute(one, 'id') ?? []);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('draws what is matched and what is not', async () => {
    const older = Array.from({ length: 40 }, (_, at) =>
      reconciliation({ id: `rec_${at}`, external: external({ lines: 10 }) }),
    );
    const unlike = [
      reconciliation({ id: 'rec_dry', dryRun: true }),
      reconciliation({ id: 'rec_empty', external: external({ lines: 0, matchedLines: 0 }) }),
      reconciliation({ id: 'rec_internal', kind: 'internal', external: null }),
    ];
    const scene = { reconciliations: [reconciliation(), ...unlike, ...older], matches: [matchOf(), matchOf()], ageing };
    const page = await pageFor(scene);
    const classed = (name: string) => page.elements.filter((one) => attribute(one, 'class')?.split(' ').includes(name));
    expect(classed('unmatched')).toHaveLength(1);
    expect(classed('point')).toHaveLength(30);
    expect(page.text('over-time-desc')).toContain('2 of 3 lines are matched');
    expect(page.text('trend-desc')).toContain('30 reconciliations; this one 66.7 %, the lowest 20.0 %');
    expect(page.text('pictures')).toContain('2 · 100 % · certain (1.00)');
    expect(page.main).not.toMatch(/NaN|Infinity|undefined|\[object/);
    const rows = page.rows('pictures');
    expect(rows).toContainEqual(['Missing in the ledger', '–', '–', '–', '–', '1,200', '1,200']);
    expect(rows).toContainEqual(['Amount differs', '–', '1', '–', '–', '–', '1']);
  });

  it('explains every cause and rule', async () => {
    const page = await pageFor({});
    const terms = elementsIn(page.byId('words')).filter(({ tagName }) => tagName === 'dt');
    expect(terms).toHaveLength(CAUSES.length + Object.keys(rules()).length);
  });
});

describe('the verdict', () => {
  const verdict = async (change: Parameters<typeof reconciliation>[0]) =>
    (await pageFor({ reconciliations: [reconciliation(change)] })).verdict;

  it('is good where all is matched', async () => {
    const all = external({ lines: 1_204, matchedLines: 1_204, breaksOpened: 0, openedByCause: causes() });
    expect(await verdict({ ok: true, external: all })).toContain(
      'Reconciled. 1,204 of 1,204 lines matched; no new breaks; the books are sound.',
    );
  });

  it('tells what waits from what somebody has to look at', async () => {
    const some = external({ breaksOpened: 3, openedByCause: causes({ timing: 2, missing_here: 1 }) });
    expect(await verdict({ external: some })).toContain('1 break needs somebody, 2 may still settle by themselves;');
    const waiting = external({ breaksOpened: 1, openedByCause: causes({ timing: 1 }) });
    expect(await verdict({ external: waiting, ok: true })).toContain(
      'no break needs somebody, 1 may still settle by itself;',
    );
  });

  it('says so where the statement is empty, and draws nothing', async () => {
    const empty = external({ lines: 0, matchedLines: 0, byRule: rules(), totals: [], overTime: [] });
    const page = await pageFor({ reconciliations: [reconciliation({ external: empty })] });
    expect(page.verdict).toContain('The statement has no lines;');
    expect(page.all('svg')).toEqual([]);
    expect(page.main).not.toMatch(/NaN|Infinity/);
  });

  it('says that a run has failed or is not finished, and that what is listed is no result', async () => {
    const failed = await pageFor({
      reconciliations: [reconciliation({ status: 'failed', ok: null, external: null, failure: 'the disk is full' })],
    });
    expect(failed.verdict).toContain('Failed. It could not be carried out');
    expect(failed.verdict).toContain('the disk is full.');
    expect(failed.source).toContain('Not a result.');
    expect(await verdict({ status: 'running', step: 'match', ok: null, external: null, finishedAt: null })).toContain(
      'Running. It is not finished (lines are being matched)',
    );
  });

  it('says that a dry run keeps nothing', async () => {
    const dry = reconciliation({ dryRun: true, external: external({ breaksOpened: 5 }) });
    const page = await pageFor({ reconciliations: [dry], breaks: [breakOf()] });
    expect(page.source).toContain('<b>Dry run.</b>');
    expect(page.verdict).toContain('2 of 3 lines would be matched; 5 breaks would need somebody');
    expect(page.text('breaks')).toContain('These are the first 1 of 5. Of a dry run no more are kept.');
    expect(page.text('pictures')).toContain('how sure they are is not kept of a dry run');
  });

  it('is about the books alone where there is no statement', async () => {
    const broken = verified({
      ...{ ok: false, breakCount: 250 },
      breaks: [
        {
          kind: 'height_gap',
          book: 0,
          height: 7,
          entry: null,
          account: null,
          expected: null,
          actual: null,
          message: 'gone',
        },
      ],
    });
    const internal = { kind: 'internal', file: null, config: null, external: null, internal: broken } as const;
    const page = await pageFor({ reconciliations: [reconciliation(internal)] });
    expect(page.verdict).toBe('✗NOT sound. The books are NOT sound: 250 invariants broken.');
    expect(page.all('section').map((one) => attribute(one, 'id'))).toEqual(['subject', 'books']);
    expect(page.text('books')).toContain('height_gap07gone');
    expect(page.text('books')).toContain('And 249 more');
  });
});

describe('markup', () => {
  it('escapes text but not markup, and leaves out what is not there', () => {
    expect(html`<p title="${'"<'}">${[html`<b>${'&'}</b>`, 1n, null, false]}</p>`.text).toBe(
      '<p title="&quot;&lt;"><b>&amp;</b>1</p>',
    );
  });
});
