import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EXPORT_TOOLS, type ExportOptions, type ExportTool, exportScenario } from '../../src/loadtest/export.ts';
import { ExportError } from '../../src/loadtest/export-plan.ts';
import type { ScenarioInput } from '../../src/loadtest/scenario.ts';
import { AMOUNT, aScenario, EVERY_STEP, TARGET } from './support/scenarios.ts';

const QUEUED: ScenarioInput['journeys'] = [
  { name: 'purchase', weight: 3, steps: [{ do: 'buy', amount: AMOUNT }] },
  { name: 'by-queue', weight: 1, steps: [{ do: 'check_balance' }, { do: 'buy', amount: AMOUNT, via: 'queue' }] },
];

describe.each(EXPORT_TOOLS)('an export for %s', (tool) => {
  it('refuses a step that sends to the queue, and names it', () => {
    const refused = () => exportScenario(aScenario({ journeys: QUEUED }), tool, TARGET);
    expect(refused).toThrow(ExportError);
    expect(refused).toThrow(/journey by-queue, step 2 \(buy\)/);
  });

  it('leaves such journeys out when told to, and says so at its top', async () => {
    const [file] = exportScenario(aScenario({ journeys: QUEUED }), tool, { ...TARGET, withoutQueue: true });
    const [top, rest] = halves(tool, file!.text);
    expect(top).toContain('Left out, as they send to the queue: by-queue');
    expect(rest).not.toContain('by-queue');
    const everyone = aScenario({ journeys: [QUEUED[1]!] });
    expect(() => exportScenario(everyone, tool, { ...TARGET, withoutQueue: true })).toThrow(/nothing is left/);
  });

  it('is the same whenever it is written', () => {
    const written = () => exportScenario(aScenario({ arrivals: 'poisson' }), tool, TARGET);
    expect(written()).toEqual(written());
  });

  it('tells at its top what it is and how it is run', () => {
    const [file] = exportScenario(aScenario(), tool, TARGET);
    const [top] = halves(tool, file!.text);
    expect(top).toContain('The load test tested of Kvitt');
    expect(top).toContain(file!.name);
    expect(top).toMatch(
      { k6: /KVITT_API_KEY=\.\.\. k6 run /, wrk: /KVITT_API_KEY=\.\.\. wrk /, jmeter: /-Jkey=\.\.\./ }[tool],
    );
  });

  it('is refused for a run, an address or connections that are none', () => {
    const wrong: Partial<ExportOptions>[] = [
      { run: 'a b' },
      { run: '"' },
      { run: '' },
      { run: 'a'.repeat(65) },
      { target: 'localhost:8080' },
      { target: 'file:///etc/passwd' },
      { target: 'http://host/path' },
      { target: 'http://user:secret@host' },
      { target: 'http://host/?key=secret' },
      { connections: 0 },
      { connections: 1.5 },
    ];
    for (const options of wrong) {
      expect(() => exportScenario(aScenario(), tool, { ...TARGET, ...options })).toThrow(ExportError);
    }
  });

  it('allows as many calls at once as it is told to', () => {
    const [file] = exportScenario(aScenario(), tool, { ...TARGET, connections: 123 });
    expect(file!.text).toMatch({ k6: /"preAllocatedVUs": 123,/, wrk: / -c123 /, jmeter: /num_threads">123</ }[tool]);
  });

  it('keeps a description within its comment, whatever it says', async () => {
    const hostile = fc.oneof(
      fc.string({ minLength: 1, maxLength: 200, unit: 'binary' }),
      fc
        .array(fc.constantFrom('*/', '-->', '--', '-', ']]', '--[[', '\n', '\r', '\u2028', `\${x}`, '<', 'a'), {
          minLength: 1,
        })
        .map((parts) => parts.join('')),
    );
    const plain = halves(tool, exportScenario(aScenario(), tool, TARGET)[0]!.text)[1];
    await fc.assert(
      fc.property(hostile, (description) => {
        const [file] = exportScenario(aScenario({ description }), tool, TARGET);
        const [top, rest] = halves(tool, file!.text);
        expect(rest).toBe(plain);
        if (tool === 'jmeter') expect(top.replace('<!--', '')).not.toContain('--');
      }),
    );
  });
});

describe('an export for wrk', () => {
  it('refuses steps that need the answer to another, and names them', () => {
    const [newcomer, booking] = EVERY_STEP;
    const refused = (journeys: ScenarioInput['journeys']) => () =>
      exportScenario(aScenario({ journeys }), 'wrk', TARGET);
    expect(refused([booking!])).toThrow(/journey booking, step 2 \(capture\)/);
    expect(refused([newcomer!])).toThrow(/journey newcomer, step 2 \(top_up\)/);
    const returned = [{ do: 'buy', amount: AMOUNT } as const, { do: 'refund' } as const];
    expect(refused([{ name: 'return', weight: 1, steps: returned }])).toThrow(/journey return, step 2 \(refund\)/);
  });

  it('refuses pauses of users of whom there is a fixed number', () => {
    const steps = [{ do: 'think', seconds: 1 } as const, { do: 'check_balance' } as const];
    const journeys = [{ name: 'slow', weight: 1, steps }];
    const closed = aScenario({ journeys, profile: { kind: 'closed', users: 3, seconds: 5 } });
    expect(() => exportScenario(closed, 'wrk', TARGET)).toThrow(/journey slow, step 1 \(think\)/);
    expect(exportScenario(aScenario({ journeys }), 'wrk', TARGET)[0]!.text).toContain('Pauses are left out.');
  });
});

/** The comment at the top, without what ends it; and the rest. */
function halves(tool: ExportTool, text: string): [string, string] {
  const end = text.search({ k6: /\*\//, wrk: /^(?!--)/m, jmeter: /-->/ }[tool]);
  return [text.slice(0, end), text.slice(end)];
}
