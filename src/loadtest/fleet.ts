/** Generator processes, and what they tell. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Ended, FromGenerator, GeneratorPlan, Piece, ToGenerator } from './messages.ts';
import { secondsOf } from './profile.ts';

const EXTENSION = extname(import.meta.url);
const PROGRAM = fileURLToPath(new URL(`./generator-process${EXTENSION}`, import.meta.url));
const HEAP_YOUNG_MIB = 32;
/** As it is written, or as it was built. */
const NODE = [...(EXTENSION === '.ts' ? ['--import', 'tsx'] : []), `--max-semi-space-size=${HEAP_YOUNG_MIB}`];
const READY_MS_MAX = 60_000;
const CLOSE_MS_MAX = 5_000;
/** How long after all its limits a generator may still be silent. */
const SILENT_MS_MAX = 30_000;

export interface FleetEvents {
  piece(generator: number, piece: Piece): void;
  phase(phase: 'draining' | 'settling', left: number): void;
}

export class Fleet {
  readonly #children: readonly ChildProcess[];

  private constructor(children: readonly ChildProcess[]) {
    this.#children = children;
  }

  /** Resolves when all of them wait for their plan. */
  static async start(processes: number): Promise<Fleet> {
    const children = Array.from({ length: processes }, () =>
      fork(PROGRAM, [], { execArgv: NODE, serialization: 'advanced' }),
    );
    const fleet = new Fleet(children);
    try {
      await Promise.all(children.map((child) => answerOf(child, once(child, 'message'), READY_MS_MAX)));
    } catch (error) {
      await fleet.close();
      throw error;
    }
    return fleet;
  }

  get pids(): number[] {
    return this.#children.map(({ pid }) => pid!);
  }

  /**
   * Resolves with what each has counted. Rejects when one ends by itself or says nothing long after its time: then nobody
   * knows what it had sent.
   */
  run(plan: Omit<GeneratorPlan, 'index' | 'of'>, events: FleetEvents): Promise<Ended[]> {
    const of = this.#children.length;
    return Promise.all(
      this.#children.map((child, index) => {
        const ended = new Promise<Ended>((resolve) => {
          child.on('message', (message: FromGenerator) => {
            if ('piece' in message) events.piece(index, message.piece);
            else if ('phase' in message) events.phase(message.phase, message.left);
            else if ('ended' in message) resolve(message.ended);
          });
        });
        send(child, { begin: { ...plan, index, of } });
        return answerOf(child, ended, msOf(plan));
      }),
    );
  }

  /** No user goes on; those calls that were sent are answered for as ever. */
  stop(): void {
    for (const child of this.#children) send(child, { stop: true });
  }

  async close(): Promise<void> {
    await Promise.all(
      this.#children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const gone = new Promise((resolve) => child.once('exit', resolve));
        if (child.connected) child.disconnect();
        const timer = setTimeout(() => child.kill('SIGKILL'), CLOSE_MS_MAX);
        await gone;
        clearTimeout(timer);
      }),
    );
  }
}

/** One that has gone meanwhile is told nothing; that it has gone is seen by its end. */
function send(child: ChildProcess, message: ToGenerator): void {
  if (child.connected) child.send(message, () => undefined);
}

/** From now to when it must have ended, ms, were it to use up every limit. */
function msOf({ scenario, startAt, drainMs, settleMs, timeoutMs }: Omit<GeneratorPlan, 'index' | 'of'>): number {
  const arrivalsMs = startAt - Date.now() + 1000 * secondsOf(scenario.profile);
  return arrivalsMs + drainMs + settleMs + 3 * timeoutMs + SILENT_MS_MAX;
}

/** What a process answers. @throws Error when it ends before, or takes longer than that. */
async function answerOf<T>(child: ChildProcess, answer: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`a generator process (${child.pid}) says nothing any more`)), ms);
  });
  try {
    return await Promise.race([answer, endOf(child), late]);
  } finally {
    clearTimeout(timer);
  }
}

async function endOf(child: ChildProcess): Promise<never> {
  const hasEnded = child.exitCode !== null || child.signalCode !== null;
  const how = hasEnded ? [child.exitCode, child.signalCode] : await once(child, 'exit');
  const [code, signal] = how as [number | null, string | null];
  throw new Error(`a generator process (${child.pid}) has ended by itself: ${signal ?? `exit code ${code}`}`);
}
