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

/** In what a worker runs. */
export interface WorkerSurroundings {
  /** The command that runs another one there. */
  readonly within?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** The parent's side of a worker: what it was sent, and what its callers were told. */
export class WorkerProcess {
  readonly told: Told[] = [];
  readonly submitted: Command[] = [];
  reached = false;
  readonly #child: ChildProcess;
  readonly #ready: Promise<void>;
  readonly #ended: Promise<[number | null, NodeJS.Signals | null]>;
  readonly #waiting = new Map<string, (told: Told) => void>();

  constructor(plan: WorkerPlan, { within = [], environment = {} }: WorkerSurroundings = {}) {
    const [execPath, ...before] = [...within, process.execPath];
    this.#child = fork(PROGRAM, [JSON.stringify(plan)], {
      execPath: execPath!,
      execArgv: [...before, '--import', 'tsx'],
      env: { ...process.env, ...environment },
      serialization: 'advanced',
    });
    let ready = () => {};
    this.#ready = new Promise((resolve) => {
      ready = resolve;
    });
    this.#child.on('message', (message: FromWorker) => {
      if (message === 'ready') ready();
      else if (message === 'reached') this.reached = true;
      else this.#hear(message.told);
    });
    // What it has sent before its end arrives before the channel ends.
    const closed = [once(this.#child, 'exit'), once(this.#child, 'disconnect')] as const;
    this.#ended = Promise.all(closed).then(([[code, signal]]) => [code, signal]);
    void this.#ended.then(() => this.#leaveUnknown());
  }

  /** Sends one command, whose key is not on its way; resolves with what its caller was told, if only by its end. */
  async tell(command: Command): Promise<Told> {
    await Promise.race([this.#ready, this.#ended]);
    const told = new Promise<Told>((resolve) => this.#waiting.set(command.key, resolve));
    this.submit([command]);
    if (!this.#child.connected) this.#leaveUnknown();
    return told;
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

  signal(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(signal);
  }

  stop(): void {
    this.#send('stop');
  }

  /** For the end of a test, however it ended. */
  kill(): void {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGKILL');
  }

  #hear(told: Told): void {
    this.told.push(told);
    this.#waiting.get(told.key)?.(told);
    this.#waiting.delete(told.key);
  }

  #leaveUnknown(): void {
    for (const [key, resolve] of this.#waiting) resolve({ key, answer: 'unknown' });
    this.#waiting.clear();
  }

  #send(message: ToWorker): void {
    // It may be gone already: then its callers are told nothing.
    if (this.#child.connected) this.#child.send(message, () => {});
  }
}
