/** One run as its supervisor sees it: is it healthy, and if it is no use any more, why? */
import type { HealthCheck } from './health.ts';
import { pause, reasonOf } from './pause.ts';
import type { AssignedPorts } from './ports.ts';
import type { Run, RunEnd } from './run.ts';
import type { ProcessSpec } from './spec.ts';
import type { HeldArtifact } from './types.ts';

/** What has no health check is healthy when it has lived for so long. */
const HEALTHY_AFTER_MS = 1000;
/** Until it is healthy it is asked after this, then after twice as long, up to `every`. */
const FIRST_ASKED_AGAIN_MS = 100;

/** A specification, and which one it is. */
export interface Version {
  readonly spec: ProcessSpec;
  readonly hash: string;
}

export interface LifeParts {
  readonly run: Run;
  readonly version: Version;
  readonly ports: AssignedPorts;
  /** Resolves to null when it cannot be had any more. */
  readonly artifact: Promise<HeldArtifact | null>;
  /** An agent before this one began it. */
  readonly isAdopted: boolean;
  /** Why it is not healthy; null: it is. */
  ask(check: HealthCheck): Promise<string | null>;
  /** It became healthy, or was lost. */
  onChange(): void;
}

export interface Loss {
  readonly why: string;
  /** Does it count as a failure of the process, or was it ended for reasons that are not its own? */
  readonly isFailure: boolean;
}

export class Life {
  readonly #parts: LifeParts;
  readonly #over = new AbortController();
  #healthySinceMs: number | null = null;
  #lost: Loss | null = null;
  #killed: string | null = null;
  #memoryBytes: number | null = null;
  #cpu: number | null = null;
  #sampled: { readonly atMs: number; readonly cpuMs: number } | null = null;
  #isSampling = false;

  constructor(parts: LifeParts) {
    this.#parts = parts;
    void this.run.ended.then((end) => this.#lose(lossOf(end, this.#killed)));
    // What it is interrupted by is that nobody wants to know any more.
    this.#watch().catch(() => {});
  }

  get run(): Run {
    return this.#parts.run;
  }

  get version(): Version {
    return this.#parts.version;
  }

  get isAdopted(): boolean {
    return this.#parts.isAdopted;
  }

  get isHealthy(): boolean {
    return this.#healthySinceMs !== null && this.#lost === null;
  }

  /** ms since it became healthy; null: it never was. */
  get healthyForMs(): number | null {
    return this.#healthySinceMs === null ? null : performance.now() - this.#healthySinceMs;
  }

  /** Null: it is of use still, or may become so. */
  get lost(): Loss | null {
    return this.#lost;
  }

  /** Null: not known. */
  get memoryBytes(): number | null {
    return this.#memoryBytes;
  }

  /** Cores in use between the last two samples; null: not known. */
  get cpu(): number | null {
    return this.#cpu;
  }

  async sample(): Promise<void> {
    if (this.#isSampling || this.run.end !== null) return;
    this.#isSampling = true;
    const usage = await this.run.usage().catch(() => null);
    this.#isSampling = false;
    const atMs = performance.now();
    const before = this.#sampled;
    this.#memoryBytes = usage?.memoryBytes ?? null;
    this.#sampled = usage === null ? null : { atMs, cpuMs: usage.cpuMs };
    const isKnown = usage !== null && before !== null && atMs > before.atMs;
    this.#cpu = isKnown ? Math.max(0, (usage.cpuMs - before.cpuMs) / (atMs - before.atMs)) : null;
  }

  /** KILL, for a reason that is told when it has ended. */
  kill(why: string, reason: string): void {
    this.#killed ??= reason;
    void this.run.kill(why);
  }

  /** It is about to be ended: whether it is healthy does not matter any more. */
  unwatch(): void {
    this.#over.abort();
  }

  /** It has ended. What it used is of no use any more. */
  release(): void {
    this.unwatch();
    this.#parts.ports.release();
    void this.#parts.artifact.then((artifact) => artifact?.letGo());
  }

  async #watch(): Promise<void> {
    const { spec } = this.version;
    const ageMs = Math.max(0, Date.now() - this.run.startedAt.getTime());
    if (spec.health === null) {
      await pause(Math.max(0, HEALTHY_AFTER_MS - ageMs), this.#over.signal);
      return this.#becomeHealthy();
    }
    await this.#waitUntilHealthy(spec.health, ageMs);
    if (this.#lost === null) await this.#keepAsking(spec.health);
  }

  async #waitUntilHealthy(check: HealthCheck, ageMs: number): Promise<void> {
    // Nobody knows whether an adopted one was healthy before: it has as long as one that was.
    const patienceMs = this.isAdopted ? check.failures * (check.every + check.timeout) * 1000 : 0;
    const deadlineMs = performance.now() + Math.max(check.startup * 1000 - ageMs, patienceMs);
    for (let waitMs = FIRST_ASKED_AGAIN_MS; ; waitMs *= 2) {
      const why = await this.#ask(check);
      if (why === null) return this.#becomeHealthy();
      if (performance.now() >= deadlineMs)
        return this.#lose(failure(`was not healthy within ${check.startup} s: ${why}`));
      const leftMs = Math.max(0, deadlineMs - performance.now());
      await pause(Math.min(waitMs, check.every * 1000, leftMs), this.#over.signal);
    }
  }

  async #keepAsking(check: HealthCheck): Promise<void> {
    for (let failures = 0; ; ) {
      await pause(check.every * 1000, this.#over.signal);
      const why = await this.#ask(check);
      failures = why === null ? 0 : failures + 1;
      if (failures >= check.failures) return this.#lose(failure(`was unhealthy ${failures} times in a row: ${why}`));
    }
  }

  #ask(check: HealthCheck): Promise<string | null> {
    return this.#parts.ask(check).catch((error) => `it cannot be asked: ${reasonOf(error)}`);
  }

  #becomeHealthy(): void {
    if (this.#over.signal.aborted) return;
    this.#healthySinceMs = performance.now();
    this.#parts.onChange();
  }

  #lose(loss: Loss): void {
    if (this.#over.signal.aborted) return;
    this.unwatch();
    this.#lost = loss;
    this.#parts.onChange();
  }
}

/** @param reason why it was killed, in more words than the keeper knows */
export function lossOf(end: RunEnd, reason: string | null = null): Loss {
  // By its lease, or because an agent before this one stopped it: neither is a fault of its own.
  return { why: describeEnd(end, reason), isFailure: end.why !== 'lease' && end.why !== 'stopped' };
}

export function describeEnd({ code, signal, why }: RunEnd, reason: string | null = null): string {
  const how = signal === null ? `with code ${code ?? 'unknown'}` : `by ${signal}`;
  const because = reason ?? why;
  return because === null ? `ended ${how}` : `ended ${how}: ${because}`;
}

function failure(why: string): Loss {
  return { why, isFailure: true };
}
