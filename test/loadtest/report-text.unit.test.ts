import { describe, expect, it } from 'vitest';
import { compareRuns } from '../../src/loadtest/compare.ts';
import { renderComparisonText, renderLadderText, renderRunText } from '../../src/loadtest/report-text.ts';
import {
  latencyText,
  lengthText,
  pointsText,
  profileWords,
  ratioText,
  shareText,
} from '../../src/loadtest/report-words.ts';
import type { Profile } from '../../src/loadtest/scenario.ts';
import { ladderOf } from './support/ladder.ts';
import { simulatedRun } from './support/simulated-run.ts';

const run = simulatedRun({ seed: 1, errorShare: 0.02 });

describe('a run as text', () => {
  it('says the verdict first and last', () => {
    const lines = renderRunText(run).trimEnd().split('\n');
    expect(lines[0]).toMatch(/^Valid, ledger verified, [\d.]+ % errors\.$/);
    expect(lines.at(-1)).toMatch(
      /^Valid, ledger verified, [\d.]+ % errors: \d+ a second, p50 .* ms, p99 .* ms, errors/,
    );
  });

  it('says what is wrong before anything else, and that there is more', () => {
    const faults = Array.from({ length: 12 }, (_, at) => `payment pay_${at} is there twice`);
    const text = renderRunText({
      ...run,
      validity: { valid: false, reasons: ['calls were late'] },
      ledger: { ...run.ledger, ok: false, once: run.ledger.once - 12, faults },
    });
    expect(text).toMatch(/^LEDGER WRONG, NOT VALID\.\nMONEY IS WRONG/);
    expect(text).toContain('limit: calls were late.');
    expect(text).toContain('pay_9 is there twice\n  … and 2 more\n');
    expect(text).toMatch(/\nLEDGER WRONG, NOT VALID: .*\n$/);
  });

  it('has a row for each operation, and answers that were no success, cut to a line', () => {
    const answer = `500 ${'x'.repeat(300)}\u001b[31m\nred`;
    const text = renderRunText({ ...run, examples: [{ operation: 'buy', outcome: 'failed', answer }] });
    expect(text).toMatch(/\nCheck the balance +[\d,]+ +[\d,]+ +[\d,]+ +[\d,]+ +[\d.]+ ms/);
    expect(text).toMatch(/\nBuy +failed +500 x+…\n/);
    expect(text).not.toContain('\u001b');
  });

  it('does not let names command the terminal', () => {
    const text = renderRunText({ ...run, target: { addresses: ['http://a\u001b]0;b\u0007'], queue: null } });
    for (const character of ['\u001b', '\u0007']) expect(text).not.toContain(character);
  });

  it('is made of a run of nothing', () => {
    const text = renderRunText({ ...simulatedRun({ seed: 1, perSecond: 0 }), operations: [], timeline: [] });
    expect(text).toMatch(/^NOTHING DONE\./);
    expect(text).toContain('p50 –');
  });
});

describe('a comparison as text', () => {
  it('says what changed, how it was found out, and what it does not tell', () => {
    const text = renderComparisonText(compareRuns([run], [simulatedRun({ seed: 2, factor: 1.3 })]));
    expect(text).toMatch(/^Worse: p50 \+\d+ %/);
    expect(text).toContain('1 run before, 1 after; 55 s of each, without the first 5 s.');
    expect(text).toMatch(/\np99 +[\d.]+ ms +[\d.]+ ms +\+\d+ % +\+.* % to \+.* % +p .* +worse\n/);
    expect(text).toContain('speaks about these runs only');
  });

  it('says which runs are doubtful', () => {
    const odd = { ...run, ledger: { ...run.ledger, ok: false } };
    expect(renderComparisonText(compareRuns([run], [odd]))).toContain('\nWARNING: The ledger of run lt_1 is wrong');
  });
});

describe('a ladder as text', () => {
  it('says the verdict, why, what to do, and what each layer can do', () => {
    const text = renderLadderText(ladderOf());
    expect(text).toMatch(/^The bottleneck is the disk \(mongod primary\)\.\nThe journal alone/);
    expect(text).toContain('What to do: Put the journal on a disk of its own');
    expect(text).toMatch(/\nBalancer +haproxy +18,400 +17,664 18,400 18,952 /);
    expect(text).toMatch(/\njournal +2\.92 ms +3\.90 ms\n/);
    expect(text).toContain('less likely: the processor time of the service');
    expect(renderLadderText(ladderOf({ layers: [], stack: [], findings: [] }))).toContain('not clear');
  });
});

describe('numbers in words', () => {
  it.each([
    [latencyText(null), '–'],
    [latencyText(0), '0 ms'],
    [latencyText(0.0423), '0.042 ms'],
    [latencyText(4.1), '4.10 ms'],
    [latencyText(99.97), '100 ms'],
    [latencyText(1_234), '1.23 s'],
    [shareText(0), '0 %'],
    [shareText(0.000_001), 'below 0.001 %'],
    [shareText(0.9999), '99.99 %'],
    [shareText(1), '100 %'],
    [lengthText(90), '90 s'],
    [lengthText(5_430), '1 h 30 min 30 s'],
    [ratioText(1.052), '+5.2 %'],
    [ratioText(0.9), '−10 %'],
    [ratioText(1), '±0.0 %'],
    [ratioText(4), '4 times'],
    [pointsText(-0.0035), '−0.35 points'],
  ])('%s is %s', (said, expected) => {
    expect(said).toBe(expected);
  });

  it.each<[Profile, string]>([
    [{ kind: 'constant', perSecond: 50, seconds: 60 }, '50 journeys a second for 60 s'],
    [{ kind: 'ramp', from: 0, to: 500, seconds: 300 }, 'from 0 to 500 journeys a second within 5 min'],
    [{ kind: 'steps', steps: [{ perSecond: 10, seconds: 5 }] }, '1 step: 10 a second for 5 s'],
    [
      { kind: 'spike', base: 10, peak: 100, before: 5, rise: 5, hold: 30, fall: 5, after: 5 },
      '10 journeys a second, then up to 100 within 5 s, which holds for 30 s, and back',
    ],
    [
      { kind: 'recorded', rates: [1, 7, 3], seconds: 60 },
      '3 recorded rates up to 7 journeys a second, played back within 60 s',
    ],
    [{ kind: 'closed', users: 20, seconds: 60 }, '20 users, each of whom begins anew when done, for 60 s'],
  ])('of the profile %o says %s', (profile, said) => {
    expect(profileWords(profile)).toBe(said);
  });
});
