/** All that comes before a run, step by step, and the commands that belong to it. */
import { randomBytes } from 'node:crypto';
import { ArtifactError } from '../artifacts/artifact.ts';
import { describeEnd, type Version } from './life.ts';
import type { Machine } from './machine.ts';
import { Interrupted, pause, reasonOf, unlessAborted } from './pause.ts';
import type { AssignedPorts, Ports } from './ports.ts';
import { bootMs } from './proc.ts';
import type { Rights } from './rights.ts';
import type { Run, RunPlan } from './run.ts';
import type { ProcessSpec } from './spec.ts';
import type { TableOptions } from './table.ts';
import { checkTemplates, environment, Refusal, renderAll, type Values, valuesOf } from './templates.ts';
import type { HeldArtifact, ProcessState } from './types.ts';
import { resolveUser } from './users.ts';

const ARTIFACT_RETRY_MS = 1_000;
const ARTIFACT_RETRY_MS_MAX = 60_000;
/** So often an artifact is tried when something else can run instead. With the waits between: about a minute. */
const ARTIFACT_TRIES = 6;
/** To try these again without another specification is no use. */
const HOPELESS: ReadonlySet<string> = new Set(['untrusted', 'unacceptable', 'conflict']);

/** What the supervisors of a host share. */
export interface Surroundings {
  readonly options: TableOptions;
  readonly machine: Machine;
  readonly ports: Ports;
  /** Aborted when the table is closed. */
  readonly closing: AbortSignal;
  onChange(): void;
}

export interface Start {
  readonly version: Version;
  /** Ports it had before. */
  readonly before: Readonly<Record<string, number>>;
  /** Something else runs, or can: it is not waited for an artifact for ever. */
  readonly hasOther: boolean;
  readonly signal: AbortSignal;
  say(state: ProcessState, message: string): void;
  /** Called once its artifact is there: ends what cannot run beside it. */
  clear(): Promise<void>;
}

export interface Started {
  readonly run: Run;
  readonly ports: AssignedPorts;
  readonly artifact: HeldArtifact;
}

/** `main`, and the commands before and after it. */
type Kind = 'main' | 'before' | 'after';

/** Was it a command before or after a process, rather than the process itself? */
export function isHelper({ run }: RunPlan): boolean {
  return !run.startsWith('main');
}

/** Of one coordinate. */
export class Starter {
  readonly #around: Surroundings;
  readonly #rights: Rights;
  readonly #helpers = new Set<Run>();

  constructor(around: Surroundings, rights: Rights) {
    this.#around = around;
    this.#rights = rights;
  }

  /** Commands that run now, before or after the process itself. */
  get helpers(): Iterable<Run> {
    return this.#helpers;
  }

  /** @throws Refusal, Interrupted, or Error when it may succeed another time */
  async start(start: Start): Promise<Started> {
    const { version, signal, say } = start;
    const user = await this.#check(version.spec);
    const artifact = await this.#hold(start);
    try {
      await start.clear();
      say('waiting', 'waits until its coordinate is its own');
      await this.#rights.held(version.spec, signal);
      return { ...(await this.#begin(start, artifact, user)), artifact };
    } catch (error) {
      artifact.letGo();
      throw error;
    }
  }

  /** What goes before the end of a run. It is ended all the same when this fails. */
  async after(run: Run, spec: ProcessSpec): Promise<void> {
    if (spec.after === null) return;
    const { options, closing } = this.#around;
    const why = await this.#render(spec.after, run.plan)
      .then((command) => this.#help('after', { ...run.plan, command }, spec, closing))
      .catch(reasonOf);
    if (closing.aborted) throw new Interrupted();
    if (why !== null) options.log.warn({ coordinate: spec.coordinate }, `"after" ${why}`);
  }

  /** @throws Refusal */
  async #check(spec: ProcessSpec): Promise<RunPlan['user']> {
    checkTemplates(spec);
    const { machine, options } = this.#around;
    return resolveUser(spec.user, await machine.passwd(), { uid: machine.uid, mayRunAsRoot: options.mayRunAsRoot });
  }

  async #hold({ version, hasOther, signal, say }: Start): Promise<HeldArtifact> {
    const ref = version.spec.artifact;
    say('waiting', `waits for artifact ${ref.id}`);
    for (let tries = 1, waitMs = ARTIFACT_RETRY_MS; ; tries++, waitMs = Math.min(2 * waitMs, ARTIFACT_RETRY_MS_MAX)) {
      try {
        return await this.#holdOnce(ref, signal);
      } catch (error) {
        if (error instanceof Interrupted) throw error;
        const why = `artifact ${ref.id} cannot be had: ${reasonOf(error)}`;
        const isHopeless = error instanceof ArtifactError && HOPELESS.has(error.code);
        if (isHopeless || (hasOther && tries >= ARTIFACT_TRIES)) throw new Refusal(why, { cause: error });
        say('waiting', `${why}; tried again in ${waitMs / 1000} s`);
      }
      await pause(waitMs, signal);
    }
  }

  /** One that comes too late is let go. */
  async #holdOnce(ref: ProcessSpec['artifact'], signal: AbortSignal): Promise<HeldArtifact> {
    const held = this.#around.options.artifacts.hold(ref, signal);
    try {
      return await unlessAborted(held, signal);
    } catch (error) {
      if (error instanceof Interrupted) held.then((late) => late.letGo()).catch(() => {});
      throw signal.aborted ? new Interrupted() : error;
    }
  }

  async #begin(start: Start, artifact: HeldArtifact, user: RunPlan['user']): Promise<Omit<Started, 'artifact'>> {
    const { version, before, signal, say } = start;
    const ports = await this.#around.ports.assign(version.spec.ports, before);
    try {
      const plan = await this.#plan(version.spec, artifact, user, ports);
      await this.#runBefore(plan, start);
      say('waiting', 'waits for the lease of this host: it does not reach ZooKeeper, or lost its place there');
      await this.#rights.leased(version.spec, signal);
      if (signal.aborted) throw new Interrupted();
      say('starting', 'is being started');
      return { run: await this.#run('main', plan, version.spec), ports };
    } catch (error) {
      ports.release();
      throw error;
    }
  }

  async #plan(
    spec: ProcessSpec,
    artifact: HeldArtifact,
    user: RunPlan['user'],
    ports: AssignedPorts,
  ): Promise<RunPlan> {
    const { host, zookeeper, runs } = this.#around.options;
    const { coordinate, limits } = spec;
    const work = await runs.work(coordinate, user);
    const values: Values = { coordinate, host, zookeeper, artifact: artifact.folder, work, ports: ports.numbers };
    return {
      ...{ coordinate, run: '', source: spec, user, limits },
      command: renderAll(spec.command, values),
      env: environment(spec, values),
      cwd: artifact.folder,
      ports: ports.numbers,
      leaseMs: null,
      graceMs: spec.grace * 1000,
    };
  }

  async #runBefore(plan: RunPlan, { version: { spec }, signal, say }: Start): Promise<void> {
    if (spec.before === null) return;
    say('waiting', 'waits for the lease of this host, to run "before"');
    await this.#rights.leased(spec, signal);
    say('waiting', 'runs "before"');
    const command = await this.#render(spec.before, plan);
    const why = await this.#help('before', { ...plan, command }, spec, signal);
    if (why !== null) throw new Error(`"before" ${why}`);
  }

  /** A command that belongs to a run, or to one that is about to be. @throws Refusal */
  async #render(command: readonly string[], plan: RunPlan): Promise<string[]> {
    const { options } = this.#around;
    return renderAll(command, valuesOf(plan, await options.runs.work(plan.coordinate, plan.user), options));
  }

  /** Answers why it failed; null: it ended with 0 in time. @throws Interrupted, and nothing of it is left then */
  async #help(kind: 'before' | 'after', plan: RunPlan, spec: ProcessSpec, signal: AbortSignal): Promise<string | null> {
    if (this.#rights.leaseMs(spec) === 0) return 'was not run: this host has no lease';
    const run = await this.#run(kind, plan, spec);
    this.#helpers.add(run);
    const late = new AbortController();
    try {
      await Promise.race([run.ended, pause(spec.patience * 1000, AbortSignal.any([signal, late.signal]))]);
      const isLate = run.end === null;
      const end = isLate ? await run.kill('took too long') : run.end!;
      if (isLate) return `took longer than ${spec.patience} s`;
      return end.code === 0 ? null : describeEnd(end);
    } finally {
      late.abort();
      if (run.end === null) await run.kill('interrupted');
      this.#helpers.delete(run);
      await this.#around.options.runs.forget(run);
    }
  }

  /** The lease is looked at in the moment of the start: none is begun without it. */
  #run(kind: Kind, plan: RunPlan, spec: ProcessSpec): Promise<Run> {
    // Before the lease is asked for, as in a renewal.
    const leasedAt = bootMs();
    const leaseMs = this.#rights.leaseMs(spec);
    if (leaseMs === 0) return Promise.reject(new Interrupted());
    const run = `${kind}${Date.now().toString(36)}${randomBytes(4).toString('hex')}`;
    return this.#around.options.runs.start({ ...plan, run, leaseMs, leasedAt });
  }
}
