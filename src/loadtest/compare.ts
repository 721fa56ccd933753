/** Compares load tests of one load before and after a change: what differs, and whether it is more than chance. */
import { bootstrap, differenceOf, type Figures, figuresWithin, SUM_FIGURES, type Window } from './bootstrap.ts';
import { loadDifferences, NotComparableError, warningsOf } from './comparable.ts';
import type { Change, ChangeVerdict, Comparison, Figure, Side } from './comparison.ts';
import { callsOf, merged } from './distribution.ts';
import type { RunResult } from './result.ts';
import { OPERATIONS, type Operation } from './scenario.ts';
import { type Estimate, holm, inferenceOf, meanOf, welch } from './statistics.ts';

export interface CompareOptions {
  /** Also of different loads. */
  readonly force?: boolean;
  /** Seconds at the beginning of each run that are left out; default 5. */
  readonly warmupSeconds?: number;
  /** The same seed and runs give the same comparison. */
  readonly seed?: number;
  readonly resamples?: number;
}

const DEFAULTS = { force: false, warmupSeconds: 5, seed: 1, resamples: 1_000 } as const;
/** So many on each side tell how much runs of the same differ. */
const RUNS_MIN = 3;
const SIGNIFICANT = 0.05;

const ONE_RUN_NOTE =
  'With fewer than three runs on a side this speaks about these runs only. How much runs of one and the same version differ from each other is not known from them: what is called better or worse may be the hour and not the change. Three runs or more on each side tell.';
const RUNS_NOTE =
  'Each run is one observation (Welch’s t-test of logarithms): what is called better or worse is more than what runs of the same differ by.';
const INTERVAL_NOTE =
  'Intervals are of 95 per cent each. Better or worse is said after Holm’s correction for all figures together, so that an interval may leave out no change and the figure still not be called changed.';

/** One run a side or more, of the same load. Throws {@link NotComparableError}. */
export function compareRuns(
  before: readonly RunResult[],
  after: readonly RunResult[],
  options: CompareOptions = {},
): Comparison {
  const { force, warmupSeconds, seed, resamples } = { ...DEFAULTS, ...options };
  const [first] = before;
  if (first === undefined || after.length === 0) throw new NotComparableError('there must be a run on each side');
  const differences = [...new Set([...before, ...after].flatMap((run) => loadDifferences(first, run)))];
  if (differences.length > 0 && !force) {
    throw new NotComparableError(`the runs are not of the same load; they differ in ${differences.join(', ')}`);
  }
  const all = [...before, ...after];
  const window = { from: warmupSeconds, to: Math.floor(Math.min(...all.map(({ seconds }) => seconds))) };
  if (window.to <= window.from) {
    throw new NotComparableError(`nothing is left of runs of ${window.to} s without the first ${warmupSeconds} s`);
  }
  const isByRun = before.length >= RUNS_MIN && after.length >= RUNS_MIN;
  const drawn = isByRun ? null : bootstrap(before, after, window, { seed, resamples });
  const changes = isByRun ? byRun(before, after, window) : byBlocks(before, after, window, drawn?.estimates);
  const forced = differences.length > 0 ? [`The runs are not of the same load: ${differences.join(', ')}.`] : [];
  return {
    object: 'load_test_comparison',
    version: 1,
    scenario: first.scenario.name,
    before: sideOf('before', before, window),
    after: sideOf('after', after, window),
    method: isByRun ? 'runs' : 'blocks',
    blockSeconds: drawn?.blockSeconds ?? null,
    warmupSeconds,
    seconds: window.to - window.from,
    resamples,
    seed,
    changes: judged(changes),
    warnings: [...forced, ...warningsOf(before, after)],
    notes: notesOf(isByRun, drawn?.blockSeconds ?? null, changes),
  };
}

/** Still without what depends on how many figures there are. */
interface Raw {
  readonly figure: Figure;
  readonly operation: Operation | null;
  readonly before: number;
  readonly after: number;
  /** null: not tested. */
  readonly estimate: Estimate | null;
}

function byBlocks(
  before: readonly RunResult[],
  after: readonly RunResult[],
  window: Window,
  estimates: ReadonlyMap<Figure, Estimate> | undefined,
): Raw[] {
  const [a, b] = [figuresWithin(before, window), figuresWithin(after, window)];
  const raw = SUM_FIGURES.flatMap((figure): Raw[] => {
    const [from, to] = [a[figure], b[figure]];
    if (differenceOf(figure, from, to) === null) return [];
    return [{ figure, operation: null, before: from!, after: to!, estimate: estimates?.get(figure) ?? null }];
  });
  return [...raw, ...byOperation(before, after, false)];
}

function byRun(before: readonly RunResult[], after: readonly RunResult[], window: Window): Raw[] {
  const figures = (runs: readonly RunResult[]) => runs.map((run) => figuresWithin([run], window));
  const [a, b] = [figures(before), figures(after)];
  const raw = SUM_FIGURES.flatMap((figure) => {
    const values = (side: readonly Figures[]) => side.map((one) => one[figure]);
    return tested(figure, null, values(a), values(b), true);
  });
  return [...raw, ...byOperation(before, after, true)];
}

/** There are no seconds of single operations: of these only runs can be compared. */
function byOperation(before: readonly RunResult[], after: readonly RunResult[], isTested: boolean): Raw[] {
  return OPERATIONS.flatMap((operation) => {
    const values = (runs: readonly RunResult[]) =>
      runs.map((run) => run.operations.find((one) => one.operation === operation)?.latencyMs?.p99 ?? null);
    return tested('operation_p99', operation, values(before), values(after), isTested);
  });
}

/** Nothing where a run has no such figure. */
function tested(
  figure: Figure,
  operation: Operation | null,
  before: readonly (number | null)[],
  after: readonly (number | null)[],
  isTested: boolean,
): Raw[] {
  const isShare = figure === 'error_share';
  const scaled = (side: readonly (number | null)[]) =>
    side.flatMap((value) => (value === null || (value <= 0 && !isShare) ? [] : [isShare ? value : Math.log(value)]));
  const [a, b] = [scaled(before), scaled(after)];
  if (a.length < before.length || b.length < after.length) return [];
  const plain = (value: number) => (isShare ? value : Math.exp(value));
  const estimate = isTested ? welch(a, b) : null;
  return [{ figure, operation, before: plain(meanOf(a)), after: plain(meanOf(b)), estimate }];
}

function judged(raw: readonly Raw[]): Change[] {
  const inferences = raw.map(({ estimate }) => (estimate === null ? null : inferenceOf(estimate)));
  const adjusted = holm(inferences.flatMap((one) => (one === null ? [] : [one.pValue])));
  let next = 0;
  return raw.map(({ figure, operation, before, after }, at) => {
    const inference = inferences[at]!;
    const scale = figure === 'error_share' ? 'difference' : 'ratio';
    const change = scale === 'ratio' ? after / before : after - before;
    const adjustedPValue = inference === null ? null : adjusted[next++]!;
    const interval = inference && (scale === 'ratio' ? exponentials(inference.interval) : inference.interval);
    const verdict = verdictOf(figure, before, after, adjustedPValue);
    const pValue = inference?.pValue ?? null;
    return { figure, operation, before, after, scale, change, interval, pValue, adjustedPValue, verdict };
  });
}

function exponentials([low, high]: readonly [number, number]): [number, number] {
  return [Math.exp(low), Math.exp(high)];
}

function verdictOf(figure: Figure, before: number, after: number, adjusted: number | null): ChangeVerdict {
  if (adjusted === null) return 'not_tested';
  if (adjusted >= SIGNIFICANT) return 'not_significant';
  return after > before === (figure === 'per_second') ? 'better' : 'worse';
}

function sideOf(name: string, runs: readonly RunResult[], { from, to }: Window): Side {
  const seconds = runs.flatMap(({ timeline }) => timeline.filter(({ at }) => at >= from && at < to));
  const latencies = merged(seconds.map((second) => second.latencies));
  const labels = new Set(runs.map(({ label }) => label));
  const [label] = labels;
  return {
    name: labels.size === 1 && label ? label : name,
    runs: runs.map(({ id, label, startedAt }) => ({ id, label, startedAt })),
    calls: callsOf(latencies),
    latencies,
  };
}

function notesOf(isByRun: boolean, blockSeconds: number | null, changes: readonly Raw[]): string[] {
  const has = (figure: Figure) => changes.some((one) => one.figure === figure);
  return [
    isByRun ? RUNS_NOTE : ONE_RUN_NOTE,
    ...(isByRun || blockSeconds !== null
      ? [INTERVAL_NOTE]
      : ['The runs are too short to tell chance from more than that: at least 20 seconds must be left to compare.']),
    ...(has('p999') ? [] : ['p99.9 is left out where fewer than ten calls took longer.']),
    ...(has('operation_p99')
      ? [`p99 of single operations is of whole runs, warm-up included${isByRun ? '' : ', and not tested'}.`]
      : []),
  ];
}
