/** Moves one coordinate toward what is wanted of it: looks at what runs, does one thing, and looks again. */
import { Intent, type Outcome } from './intent.ts';
import { Life, type LifeParts, lossOf, type Version } from './life.ts';
import { Interrupted, pause, reasonOf, unlessAborted } from './pause.ts';
import { bootMs } from './proc.ts';
import { Rights } from './rights.ts';
import type { Run } from './run.ts';
import { chooseKept } from './settle.ts';
import { isReplacedBy, type ProcessSpec, processSpec, specHash } from './spec.ts';
import { Standing } from './standing.ts';
import { isHelper, Starter, type Surroundings } from './starter.ts';
import { Refusal, renderAll, valuesOf } from './templates.ts';
import type { ProcessReport, ProcessState } from './types.ts';

/** After something failed that is not the process's fault, such as a full disk. */
const TROUBLE_MS = 1_000;

/** Something to be done, which may take a while, and is broken off where that is right when the signal is aborted. */
type Action = (signal: AbortSignal) => Promise<void>;

export class Supervisor {
  readonly coordinate: string;
  readonly #around: Surroundings;
  readonly #intent: Intent;
  readonly #rights: Rights;
  readonly #starter: Starter;
  readonly #standing: Standing;
  /** What runs, the oldest first. Two: one of them is on its way in or out. */
  #lives: Life[] = [];
  /** The one that others are told of. */
  #front: Life | null = null;
  /** Ended, and kept until the next one runs: so that an agent after this one knows of the coordinate. */
  #ended: Run[] = [];
  /** Commands before and after a process, of which an agent before this one did not see the end. */
  #strays: Run[];
  #isRestartAsked = false;
  /** Nothing runs, and nothing is to. */
  #isSettled = false;
  #isGone = false;
  #lastPorts: Readonly<Record<string, number>> = {};
  /** Aborted, and replaced, when something else is to be done than what is being done. */
  #goal = new AbortController();
  #wakeUp = () => {};
  #onRestart: (() => void)[] = [];
  readonly #working: Promise<void>;

  /** @param found runs of the coordinate that agents before this one began, the oldest first */
  constructor(coordinate: string, around: Surroundings, found: readonly Run[]) {
    this.coordinate = coordinate;
    this.#around = around;
    this.#intent = new Intent(around.machine.random);
    this.#rights = new Rights(coordinate, around.options);
    this.#starter = new Starter(around, this.#rights);
    this.#standing = new Standing(around.onChange);
    this.#strays = found.filter(({ plan }) => isHelper(plan));
    for (const run of found.filter(({ plan }) => !isHelper(plan))) this.#adopt(run);
    this.#intent.guess(this.#lives[0]?.version ?? null);
    this.#working = this.#work();
  }

  /** All that run of it now. */
  get lives(): readonly Life[] {
    return this.#lives;
  }

  /** It is not wanted, and nothing is left of it. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** Null: it is not wanted any more. */
  want(spec: ProcessSpec | null): void {
    if (this.#intent.want(spec && versionOf(spec))) this.#change();
  }

  /** Resolves when what runs now has ended; it is started again as after any change. */
  restart(): Promise<void> {
    this.#isRestartAsked = true;
    const ended = new Promise<void>((resolve) => this.#onRestart.push(resolve));
    this.#change();
    return ended;
  }

  report(): ProcessReport {
    const life = this.#front ?? this.#lives[0];
    const { state, message, since } = this.#standing;
    return {
      ...{ coordinate: this.coordinate, state, message, since: since.toISOString() },
      artifact: life?.version.spec.artifact.id ?? null,
      spec: life !== undefined && life.healthyForMs !== null ? life.version.hash : null,
      refused: this.#intent.refused,
      pid: life?.run.pid ?? null,
      ports: life?.run.plan.ports ?? {},
      restarts: this.#intent.restarts,
      memory_bytes: life?.memoryBytes ?? null,
      cpu: life?.cpu ?? null,
      limits: life?.run.limits ?? {},
    };
  }

  artifactsInUse(): string[] {
    const versions = [...this.#lives.map(({ version }) => version), this.#intent.target, this.#intent.fallback];
    return versions.flatMap((version) => (version === null ? [] : [version.spec.artifact.id]));
  }

  /** Renews the leases of all that runs of it. Answers for how long, ms; null: nothing of it needs one. */
  renew(): number | null {
    const runs = [...this.#lives.map(({ run }) => run), ...this.#starter.helpers];
    const leased = runs.filter(({ plan, end }) => plan.leaseMs !== null && end === null);
    const leases = leased.map((run) => {
      // Before the lease is asked for: it does not last longer because this process stands still in between.
      const since = bootMs();
      const ms = this.#rights.leaseMs(run.plan.source) ?? 0;
      if (ms > 0) run.renew(ms, since);
      return ms;
    });
    return leases.length === 0 ? null : Math.min(...leases);
  }

  /** Resolves once nothing is being done any more, after `closing` was aborted. */
  async closed(): Promise<void> {
    this.#change();
    await this.#working;
    for (const life of this.#lives) life.unwatch();
    for (const run of [...this.#lives.map(({ run }) => run), ...this.#ended, ...this.#strays]) run.detach();
  }

  async #work(): Promise<void> {
    while (!this.#around.closing.aborted && !this.#isGone) {
      const action = this.#next();
      if (action === null) {
        await new Promise<void>((resolve) => {
          this.#wakeUp = resolve;
        });
      } else {
        await action(this.#goal.signal).catch(this.#recover);
      }
    }
    this.#tellRestarted();
  }

  readonly #recover = async (error: unknown): Promise<void> => {
    if (error instanceof Interrupted) return;
    const { closing, options } = this.#around;
    options.log.error({ coordinate: this.coordinate, error }, 'cannot go on, and tries again');
    this.#standing.set(this.#standing.state, `cannot go on, and tries again: ${reasonOf(error)}`);
    await pause(TROUBLE_MS, closing).catch(() => {});
  };

  /** What is to be done now, from what is and what is wanted alone; null: nothing, until something changes. */
  #next(): Action | null {
    const lost = this.#lives.find((life) => life.lost !== null);
    if (lost !== undefined) return () => this.#bury(lost);
    const { isTold, target } = this.#intent;
    if (isTold && this.#strays.length > 0) return () => this.#endStrays();
    if (this.#isRestartAsked) return () => this.#endForRestart();
    if (target === null) return isTold && !this.#isSettled ? () => this.#stop() : null;
    const [life, ...younger] = this.#lives;
    if (younger.length > 0) return isTold ? this.#settle(target) : null;
    if (life === undefined) return this.#intent.isFailed ? null : (signal) => this.#launch(target, null, signal);
    if (life.version.hash !== target.hash) return this.#supersede(life, target);
    const isShown = this.#front === life && this.#standing.state === 'running';
    return life.isHealthy && !isShown ? async () => this.#show(life) : null;
  }

  readonly #change = (): void => {
    this.#isSettled = false;
    this.#goal.abort();
    this.#goal = new AbortController();
    this.#wakeUp();
  };

  #adopt(run: Run): void {
    const { options, closing, ports } = this.#around;
    const version = versionOf(parsedAgain(run.plan.source));
    this.#lastPorts = run.plan.ports;
    if (run.end !== null) {
      this.#ended.push(run);
      const loss = lossOf(run.end);
      const atMs = Date.parse(run.end.at);
      if (loss.isFailure) this.#intent.endedBefore(version, atMs, Math.max(0, atMs - run.startedAt.getTime()));
      if (this.#lives.length === 0) this.#standing.set('stopped', `${loss.why}; nobody said yet what is wanted`);
      return;
    }
    this.#rights.claim(version.spec);
    const artifact = options.artifacts.hold(version.spec.artifact, closing).catch((error) => {
      const what = { coordinate: this.coordinate, artifact: version.spec.artifact.id, error };
      if (!closing.aborted) options.log.warn(what, 'the artifact of what runs cannot be held');
      return null;
    });
    this.#add({ run, version, artifact, ports: ports.take(run.plan.ports), isAdopted: true });
    this.#standing.set('starting', 'was found running, and is asked whether it is healthy');
  }

  #add(parts: Pick<LifeParts, 'run' | 'version' | 'artifact' | 'ports' | 'isAdopted'>): void {
    const { machine, options } = this.#around;
    const { plan } = parts.run;
    const life: Life = new Life({
      ...parts,
      ask: async (check) => {
        if (check.command === undefined) return machine.askHealth(check, { host: options.host, plan });
        const work = await options.runs.work(plan.coordinate, plan.user);
        const command = renderAll(check.command, valuesOf(plan, work, options));
        return machine.askHealth({ ...check, command }, { host: options.host, plan });
      },
      // What is being done took for granted that it lives.
      onChange: () => (life.lost === null ? this.#wakeUp() : this.#change()),
    });
    this.#lives.push(life);
  }

  async #launch(target: Version, beside: Life | null, signal: AbortSignal): Promise<void> {
    const isBeside = beside !== null;
    const say = (state: ProcessState, text: string) => this.#standing.set(isBeside ? 'rolling' : state, text);
    await pause(this.#intent.waitMs(target), signal);
    const clear = async () => {
      if (isBeside && !canRunBeside(beside, target.spec)) await this.#end(beside);
      this.#rights.claim(target.spec);
      if (this.#front === null) this.#rights.publish('STARTING', 'is being started', {});
    };
    const hasOther = this.#intent.hasOther(target);
    try {
      const started = await this.#starter.start({
        version: target,
        before: this.#lastPorts,
        hasOther,
        signal,
        say,
        clear,
      });
      this.#add({ ...started, artifact: Promise.resolve(started.artifact), version: target, isAdopted: false });
      if (!isBeside) this.#lastPorts = started.ports.numbers;
      say('starting', `process ${started.run.pid} runs, and is not healthy yet`);
    } catch (error) {
      if (error instanceof Interrupted) throw error;
      const why = `cannot be started: ${reasonOf(error)}`;
      const isHopeless = error instanceof Refusal;
      this.#tell(why, isHopeless ? this.#intent.refuse(target, why) : this.#intent.failed(target, why, null));
      return;
    }
    await this.#forgetEnded();
  }

  /** It runs, but another is wanted. */
  #supersede(life: Life, target: Version): Action | null {
    // One that was found may have been healthy for long: it is asked first.
    if (!life.isHealthy) return life.isAdopted ? null : () => this.#end(life);
    if (this.#front !== life) return async () => this.#show(life);
    return (signal) => this.#launch(target, life, signal);
  }

  /** Several run. */
  #settle(target: Version): Action | null {
    const candidates = this.#lives.map((life) => ({ life, hash: life.version.hash, isHealthy: life.isHealthy }));
    const kept = chooseKept(candidates, target.hash)?.life;
    if (kept === undefined) return null;
    return async () => {
      if (this.#front !== kept) this.#show(kept);
      for (const life of this.#lives.filter((each) => each !== kept)) await this.#end(life);
    };
  }

  /** Others are told of it from now on. */
  #show(life: Life): void {
    this.#intent.fallBackTo(life.version);
    if (this.#front !== life) this.#rights.publish('RUNNING', 'is healthy', life.run.plan.ports);
    this.#front = life;
    this.#lastPorts = life.run.plan.ports;
    this.#sayRunning();
  }

  #sayRunning(): void {
    const { refusal } = this.#intent;
    this.#standing.set('running', refusal === null ? 'is healthy' : `is healthy, but ${refusal}`);
  }

  /** It has ended, or is of no use any more. */
  async #bury(life: Life): Promise<void> {
    const { version, healthyForMs } = life;
    const { why, isFailure } = life.lost!;
    this.#around.options.log.warn({ coordinate: this.coordinate, pid: life.run.pid, spec: version.hash }, why);
    if (this.#front === life) {
      this.#front = null;
      this.#rights.publish('ERROR', why, {});
    }
    await this.#end(life);
    // An agent before this one told it to end: it is started again when somebody says so.
    if (this.#lives.length > 0) this.#intent.guess(this.#lives[0]!.version);
    else if (life.run.end?.why === 'stopped') this.#intent.guess(null);
    if (this.#lives.some((other) => other.version.hash === version.hash)) return;
    const { target } = this.#intent;
    const isTarget = target?.hash === version.hash;
    // Of two that were found, none was told of yet.
    if (isTarget && this.#lives.length > 0) this.#intent.fallBackTo(this.#lives[0]!.version);
    if (isFailure && isTarget) this.#tell(why, this.#intent.failed(version, why, healthyForMs));
    else if (this.#lives.length === 0) this.#standing.set(target === null ? 'stopped' : 'waiting', why);
    else if (!this.#lives[0]!.isHealthy) this.#standing.set('starting', `is not healthy yet; the one before ${why}`);
    if (!isFailure) this.#intent.ended(version);
  }

  #tell(why: string, outcome: Outcome): void {
    const { log } = this.#around.options;
    if (outcome === 'refused') {
      log.warn({ coordinate: this.coordinate }, this.#intent.refusal!);
      if (this.#front !== null) this.#sayRunning();
      else this.#standing.set('waiting', `${this.#intent.refusal}; what ran before is started again`);
    } else if (outcome === 'failed') {
      log.error({ coordinate: this.coordinate }, why);
      this.#rights.publish('ERROR', why, {});
      this.#standing.set('failed', `${why}; left alone until it is restarted, or something else is wanted`);
    } else {
      this.#standing.set('backing_off', `${why}; started again in ${(outcome.delayMs / 1000).toFixed(1)} s`);
    }
  }

  async #end(life: Life): Promise<void> {
    const { run, version } = life;
    life.unwatch();
    if (run.end === null) {
      if (this.#front === life) this.#rights.publish('DRAINING', 'is being ended', run.plan.ports);
      if (this.#lives.length === 1) this.#standing.set('stopping', life.lost?.why ?? 'is being ended');
      if (life.healthyForMs !== null) await this.#starter.after(run, version.spec);
      await unlessAborted(run.stop(), this.#around.closing);
    }
    if (this.#front === life) this.#front = null;
    this.#lives = this.#lives.filter((each) => each !== life);
    this.#ended.push(run);
    life.release();
  }

  async #endAll(): Promise<void> {
    for (const life of this.#lives) await this.#end(life);
  }

  async #endForRestart(): Promise<void> {
    await this.#endAll();
    this.#isRestartAsked = false;
    this.#intent.retry();
    this.#change();
    this.#tellRestarted();
  }

  #tellRestarted(): void {
    for (const resolve of this.#onRestart.splice(0)) resolve();
  }

  async #stop(): Promise<void> {
    await this.#endAll();
    await this.#rights.release();
    if (this.#intent.target !== null) return;
    this.#intent.stopped();
    this.#standing.set('stopped', 'as wanted');
    this.#isSettled = true;
    if (this.#intent.isUnwanted) await this.#forgetAll();
  }

  async #forgetAll(): Promise<void> {
    this.#isSettled = false;
    await this.#forgetEnded();
    await this.#around.options.runs.remove(this.coordinate);
    this.#isGone = this.#intent.isUnwanted;
    if (this.#isGone) this.#around.onChange();
  }

  async #forgetEnded(): Promise<void> {
    for (let run = this.#ended[0]; run !== undefined; run = this.#ended[0]) {
      await this.#around.options.runs.forget(run);
      this.#ended.shift();
    }
  }

  async #endStrays(): Promise<void> {
    for (const run of this.#strays) {
      if (run.end === null) await unlessAborted(run.kill('left over'), this.#around.closing);
      await this.#around.options.runs.forget(run);
    }
    this.#strays = [];
  }
}

function versionOf(spec: ProcessSpec): Version {
  return { spec, hash: specHash(spec) };
}

/** With what has got a default since it was written: it must not look like another specification to a newer agent. */
function parsedAgain(source: ProcessSpec): ProcessSpec {
  const parsed = processSpec.safeParse(source);
  return parsed.success ? parsed.data : source;
}

/** Neither needs what only one of them can have, and the old one may run twice. */
function canRunBeside({ run, version }: Life, next: ProcessSpec): boolean {
  if (isReplacedBy(version.spec, next)) return false;
  const used = Object.values(run.plan.ports);
  const isClash = Object.values(next.ports).some((port) => port !== null && used.includes(port));
  return next.claim === version.spec.claim && !isClash;
}
