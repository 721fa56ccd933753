/** What a load test shows while it goes on: on a terminal one line that is written over, else a line now and then. */
import type { CheckProgress } from './checker.ts';
import type { PopulationProgress } from './population.ts';
import type { SecondResult } from './result.ts';

const REDRAW_MS = 200;
/** Where there is no terminal. */
const LINE_EVERY_S = 10;
const BAR_WIDTH = 20;
/** Of a terminal that does not know how wide it is, and says 0 or nothing. */
const COLUMNS = 80;
const SPARKS = '▁▂▃▄▅▆▇█';
const SPARKS_SHOWN = 30;

export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export class Live {
  readonly #screen: Screen;
  readonly #p99s: number[] = [];
  #drawnAt = Number.NEGATIVE_INFINITY;

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  population({ phase, done, of }: PopulationProgress): void {
    this.#draw(`${phase === 'accounts' ? 'opening accounts' : 'filling wallets'}: ${count(done)} of ${count(of)}`);
  }

  /** `of`: how many seconds there will be. */
  second(second: SecondResult, of: number): void {
    const { at, counts, latencyMs, lagMs, outstanding } = second;
    this.#p99s.push(latencyMs?.p99 ?? 0);
    const errors = counts.refused + counts.failed + counts.unknown + counts.held_back;
    const text = [
      `${bar((at + 1) / of)} ${at + 1}/${of} s`,
      `${count(second.arrivals)} users/s`,
      `${count(counts.ok + counts.declined)} answers/s`,
      latencyMs === null ? 'no answers' : `p50 ${ms(latencyMs.p50)} p99 ${ms(latencyMs.p99)}`,
      `errors ${count(errors)}`,
      `outstanding ${count(outstanding)}`,
      `lag ${ms(lagMs.p99)}`,
    ].join('  ');
    if (this.#screen.isTTY) this.#draw(`${text}  p99 ${sparks(this.#p99s.slice(-SPARKS_SHOWN))}`, true);
    else if ((at + 1) % LINE_EVERY_S === 0 || at + 1 === of) this.#screen.write(`${text}\n`);
  }

  phase(phase: 'draining' | 'settling', left: number): void {
    if (left === 0) return;
    this.#draw(
      phase === 'draining' ? `waiting for ${count(left)} journeys` : `asking again for ${count(left)} calls`,
      true,
    );
  }

  check({ phase, done, of }: CheckProgress): void {
    const much = of === null ? count(done) : `${count(done)} of ${count(of)}`;
    this.#draw(`comparing with the ledger, ${phase}: ${much}`);
  }

  /** A line that stays. */
  say(text: string): void {
    this.end();
    this.#screen.write(`${text}\n`);
  }

  /** What comes next begins on an empty line, and with a picture of its own. */
  end(): void {
    if (this.#screen.isTTY) this.#screen.write('\r\x1b[K');
    this.#p99s.length = 0;
    this.#drawnAt = Number.NEGATIVE_INFINITY;
  }

  #draw(text: string, isDue = false): void {
    const now = performance.now();
    if (!this.#screen.isTTY || (!isDue && now - this.#drawnAt < REDRAW_MS)) return;
    this.#drawnAt = now;
    this.#screen.write(`\r\x1b[K${text.slice(0, (this.#screen.columns || COLUMNS) - 1)}`);
  }
}

function bar(share: number): string {
  const full = Math.round(BAR_WIDTH * Math.min(1, share));
  return `[${'#'.repeat(full)}${'-'.repeat(BAR_WIDTH - full)}]`;
}

/** Heights on a logarithmic scale: twice the latency is one step. */
export function sparks(values: readonly number[]): string {
  const lowest = Math.min(...values.filter((value) => value > 0));
  return values
    .map((value) => {
      const step = value > 0 ? Math.floor(Math.log2(value / lowest)) : 0;
      return SPARKS[Math.max(0, Math.min(SPARKS.length - 1, step))]!;
    })
    .join('');
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en');
}

function ms(value: number): string {
  return `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ms`;
}
