import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ClosedLoop, Ended, FromGenerator, GeneratorPlan, OpenLoop, Second, ToGenerator } from './messages.ts';

const PROGRAM = fileURLToPath(new URL('./generator.ts', import.meta.url));

/** The parent's side of the process that makes the load: one loop at a time. */
export class Load {
  readonly #child: ChildProcess;
  #listen: (message: FromGenerator) => void = () => undefined;
  #fail: (error: Error) => void = () => undefined;

  constructor(plan: GeneratorPlan) {
    this.#child = fork(PROGRAM, [JSON.stringify(plan)], {
      execArgv: ['--import', 'tsx'],
      serialization: 'advanced',
    });
    this.#child.on('message', (message: FromGenerator) => this.#listen(message));
    this.#child.once('exit', () => this.#fail(new Error('the process that makes the load has ended by itself')));
  }

  /** Answers how many were accepted a second. */
  closed(closed: ClosedLoop): Promise<number> {
    return this.#run({ closed }, (message, done) => {
      if ('accepted' in message) done(message.accepted);
    });
  }

  open(open: OpenLoop, onSecond: (second: Second) => void): Promise<Ended> {
    return this.#run({ open }, (message, done) => {
      if ('second' in message) onSecond(message.second);
      if ('ended' in message) done(message.ended);
    });
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.send('end' satisfies ToGenerator);
    await gone;
  }

  #run<T>(begin: ToGenerator, hear: (message: FromGenerator, done: (value: T) => void) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#listen = (message) => hear(message, resolve);
      this.#fail = reject;
      this.#child.send(begin);
    });
  }
}
