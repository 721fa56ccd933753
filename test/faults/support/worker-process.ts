import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Command } from '../../../src/ledger/types.ts';
import type { Told } from '../../simulation/check-journal.ts';
import type { FromWorker, ToWorker, WorkerPlan } from './worker-messages.ts';

const PROGRAM = fileURLToPath(new URL('./worker.ts', import.meta.url));
const GROUP = 5;
/** Enough for several groups of every kind in a round. */
const UNANSWERED_MAX = 40;
const REACHED_MS_MAX = 40_000;

/** The parent's side of a worker: what it was sent, and what its callers were told. */
export class WorkerProcess {
  readonly told: Told[] = [];
  readonly submitted: Command[] = [];
  reached = false;
  readonly #child: ChildProcess;
  readonly #ready: Promise<void>;
  readonly #ended: Promise<[number | null, NodeJS.Signals | null]>;

  constructor(plan: WorkerPlan) {
    this.#child = fork(PROGRAM, [JSON.stringify(plan)], {
      execArgv: ['--import', 'tsx'],
      serialization: 'advanced',
    });
    let ready = () => {};
    this.#ready = new Promise((resolve) => {
      ready = resolve;
    });
    this.#child.on('message', (message: FromWorker) => {
      if (message === 'ready') ready();
      else if (message === 'reached') this.reached = true;
      else this.told.push(message.told);
    });
    // What it has sent before its end arrives before the channel ends.
    const closed = [once(this.#child, 'exit'), once(this.#child, 'disconnect')] as const;
    this.#ended = Promise.all(closed).then(([[code, signal]]) => [code, signal]);
  }

  submit(commands: readonly Command[]): void {
    this.submitted.push(...commands);
    this.#send({ submit: commands });
  }

  /** Sends groups of commands until the worker is where its plan ends. */
  async loadUntilReached(command: (n: number) => Command): Promise<void> {
    await Promise.race([this.#ready, this.#ended]);
    const until = Date.now() + REACHED_MS_MAX;
    while (!this.reached && Date.now() < until) {
      const from = this.submitted.length;
      const isBusy = from - this.told.length >= UNANSWERED_MAX;
      if (!isBusy) this.submit(Array.from({ length: GROUP }, (_, i) => command(from + i)));
      await sleep(5);
    }
    if (!this.reached) throw new Error('the worker never came to its crash point');
  }

  /** Commands whose callers were told nothing so far. */
  unanswered(): Command[] {
    const keys = new Set(this.told.map(({ key }) => key));
    return this.submitted.filter(({ key }) => !keys.has(key));
  }

  /** How it ended: exit code, or the signal that ended it. */
  ended(): Promise<[number | null, NodeJS.Signals | null]> {
    return this.#ended;
  }

  wake(): void {
    this.#child.kill('SIGCONT');
  }

  stop(): void {
    this.#send('stop');
  }

  /** For the end of a test, however it ended. */
  kill(): void {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGKILL');
  }

  #send(message: ToWorker): void {
    // It may be gone already: then its callers are told nothing.
    if (this.#child.connected) this.#child.send(message, () => {});
  }
}
