/** Generator processes, and what they tell. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Ended, FromGenerator, GeneratorPlan, Piece, ToGenerator } from './messages.ts';

const PROGRAM = fileURLToPath(new URL(`./generator-process${extname(import.meta.url)}`, import.meta.url));
const HEAP_YOUNG_MIB = 32;

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
    const execArgv = [...process.execArgv, `--max-semi-space-size=${HEAP_YOUNG_MIB}`];
    const children = Array.from({ length: processes }, () =>
      fork(PROGRAM, [], { execArgv, serialization: 'advanced' }),
    );
    const fleet = new Fleet(children);
    await Promise.all(children.map((child) => Promise.race([once(child, 'message'), endOf(child)])));
    return fleet;
  }

  get pids(): number[] {
    return this.#children.map(({ pid }) => pid!);
  }

  /** Resolves with what each has counted. Rejects when one ends by itself: then nobody knows what it had sent. */
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
        child.send({ begin: { ...plan, index, of } } satisfies ToGenerator);
        return Promise.race([ended, endOf(child)]);
      }),
    );
  }

  /** No user goes on; those calls that were sent are answered for as ever. */
  stop(): void {
    for (const child of this.#children) if (child.connected) child.send({ stop: true } satisfies ToGenerator);
  }

  async close(): Promise<void> {
    await Promise.all(
      this.#children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const gone = once(child, 'exit');
        child.disconnect();
        await gone;
      }),
    );
  }
}

async function endOf(child: ChildProcess): Promise<never> {
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  throw new Error(`a generator process (${child.pid}) has ended by itself: ${signal ?? `exit code ${code}`}`);
}
