import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { until } from './namespace.ts';

const PROGRAM = fileURLToPath(new URL('./owner.ts', import.meta.url));

/** What an owner wrote, by this machine's clock: what happened, or whether it took itself for the holder. */
export interface Line {
  readonly at: number;
  readonly event?: string;
  readonly held?: boolean;
}

export interface OwnerPlan {
  readonly connect: string;
  readonly coordinate: string;
  readonly sessionMs: number;
  /** Takes this lock instead of claiming the coordinate. */
  readonly lock?: string;
  /** The command that runs another one elsewhere, as in a network namespace. */
  readonly within?: readonly string[];
}

/** The parent's side of an owner: see owner.ts. */
export class OwnerProcess {
  readonly lines: Line[] = [];
  readonly #child: ChildProcess;

  private constructor({ connect, coordinate, sessionMs, lock, within = [] }: OwnerPlan) {
    const [command, ...before] = [...within, process.execPath];
    const plan = [connect, coordinate, String(sessionMs), ...(lock === undefined ? [] : [lock])];
    const args = [...before, '--import', 'tsx', PROGRAM, ...plan];
    this.#child = spawn(command!, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    createInterface({ input: this.#child.stdout! }).on('line', (line) => this.lines.push(JSON.parse(line)));
  }

  /** Resolves when it runs at its coordinate, or has its lock. */
  static async start(plan: OwnerPlan, onStarted: (owner: OwnerProcess) => void): Promise<OwnerProcess> {
    const owner = new OwnerProcess(plan);
    onStarted(owner);
    await owner.event('running');
    await owner.says(true);
    return owner;
  }

  signal(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(signal);
  }

  /** Its first line about that written at `since` or later; waits for it. */
  event(event: string, since = 0): Promise<Line> {
    return this.#first((line) => line.event === event && line.at >= since);
  }

  /** The first line written at `since` or later that says whether it is the holder, or that it is, or is not. */
  says(held: boolean | null, since = 0): Promise<Line> {
    return this.#first((line) => line.at >= since && line.held !== undefined && (held ?? line.held) === line.held);
  }

  /** When it took itself for the holder, from one moment on, and until before another one. */
  heldBetween(from: number, to: number): number[] {
    return this.lines.filter(({ at, held }) => held && at >= from && at < to).map(({ at }) => at);
  }

  async #first(isIt: (line: Line) => boolean): Promise<Line> {
    return (await until(
      () => this.lines.find(isIt),
      (line) => line !== undefined,
    ))!;
  }
}
