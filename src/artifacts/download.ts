/** Fetches archives over HTTP, and proves their digests. */
import { createHash } from 'node:crypto';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent } from 'undici';
import { ArtifactError, type ArtifactRef } from './artifact.ts';
import { digestFile, receive } from './receive.ts';
import { ask, SourceFailure } from './request.ts';
import { Turns } from './turns.ts';
import type { Source, StoreOptions } from './types.ts';

const TRIES_MAX = 3;
const SOURCES_MAX = 16;
/** Of one try, however slowly it goes on. */
const TRY_MS_MAX = 60 * 60_000;

/** Ms. */
export interface DownloadTimes {
  readonly connect: number;
  /** Without a byte. */
  readonly stall: number;
  /** Before the second try; twice as long before the third. */
  readonly retry: number;
}

export const DOWNLOAD_TIMES: DownloadTimes = { connect: 10_000, stall: 30_000, retry: 1_000 };

/**
 * What was fetched of an archive is kept in `<digest>.part`, also when the download fails: the next one goes on from there.
 * Bytes of different sources may be put together, as in the end the digest decides.
 */
export class Downloads {
  readonly #agent: Agent;
  readonly #turns = new Turns();
  /** Digests of those under way. */
  readonly #active = new Set<string>();

  constructor(
    readonly folder: string,
    readonly options: Pick<StoreOptions, 'others' | 'limits'>,
    readonly times: DownloadTimes,
  ) {
    this.#agent = new Agent({
      connect: { timeout: times.connect },
      headersTimeout: times.stall,
      bodyTimeout: times.stall,
    });
  }

  /**
   * Fetches an archive and hands over its path; it is gone afterwards, unless it was moved away. Nobody else fetches the
   * same one meanwhile.
   *
   * @throws ArtifactError `unavailable`, `untrusted` or `unacceptable`, and what `use` throws
   */
  fetch<T>(ref: ArtifactRef, signal: AbortSignal, use: (archive: string) => Promise<T>): Promise<T> {
    return this.#turns.take(ref.sha256, async () => {
      this.#active.add(ref.sha256);
      try {
        const part = this.#part(ref.sha256);
        await this.#fetch(ref, part, signal).catch(async (error) => {
          // Something is wrong here, such as a full disk, which it must not keep full.
          if (!(error instanceof ArtifactError) && !signal.aborted) await rm(part, { force: true, recursive: true });
          throw error;
        });
        return await use(part).finally(() => rm(part, { force: true }));
      } finally {
        this.#active.delete(ref.sha256);
      }
    });
  }

  /** Is this a file of a download that is under way? */
  isActive(fileName: string): boolean {
    return fileName.endsWith('.part') && this.#active.has(fileName.slice(0, -'.part'.length));
  }

  #part(sha256: string): string {
    return join(this.folder, `${sha256}.part`);
  }

  async #fetch(ref: ArtifactRef, part: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    if (await holds(part, ref.sha256)) return;
    const failures: (ArtifactError | SourceFailure)[] = [];
    const own = ref.url === undefined ? [] : [{ url: ref.url, headers: {} }];
    for (const find of [async () => own, () => this.#others(ref, signal)]) {
      for (const source of await find()) {
        const failure = await this.#fetchFrom(source, ref, part, signal);
        if (failure === null) return;
        failures.push(failure);
      }
    }
    throw summary(ref, failures);
  }

  async #others(ref: ArtifactRef, signal: AbortSignal): Promise<readonly Source[]> {
    const late = AbortSignal.any([signal, AbortSignal.timeout(this.times.stall)]);
    const nobody = new Promise<readonly Source[]>((resolve) => {
      late.addEventListener('abort', () => resolve([]), { once: true });
    });
    // That nobody can be asked now is not why it is unavailable; it may be had the next time.
    const found = await Promise.race([
      Promise.resolve(ref)
        .then((wanted) => this.options.others(wanted))
        .catch(() => []),
      nobody,
    ]);
    signal.throwIfAborted();
    return found.slice(0, SOURCES_MAX);
  }

  /** Answers why it failed; null: it did not. */
  async #fetchFrom(
    source: Source,
    ref: ArtifactRef,
    part: string,
    signal: AbortSignal,
  ): Promise<ArtifactError | SourceFailure | null> {
    const memory: { etag: string | null } = { etag: null };
    let hasBegunAnew = false;
    for (let failures = 0; ; ) {
      const failure = await this.#try(source, ref, { part, memory, signal });
      if (failure === null) return null;
      signal.throwIfAborted();
      const isUseless = failure instanceof ArtifactError || failure.isUseless;
      if (isUseless) await rm(part, { force: true });
      // What others sent before is not this source's fault.
      if (isUseless && failure instanceof SourceFailure && !hasBegunAnew) {
        hasBegunAnew = true;
        continue;
      }
      failures += 1;
      if (failure instanceof ArtifactError || !failure.isPassing || failures === TRIES_MAX) {
        return named(failure, source);
      }
      await sleep(this.times.retry * 2 ** (failures - 1), undefined, { signal });
    }
  }

  async #try(
    source: Source,
    ref: ArtifactRef,
    { part, memory, signal }: { part: string; memory: { etag: string | null }; signal: AbortSignal },
  ): Promise<ArtifactError | SourceFailure | null> {
    const inTime = AbortSignal.any([signal, AbortSignal.timeout(TRY_MS_MAX)]);
    try {
      await this.#go(source, ref, part, memory, inTime);
      return null;
    } catch (error) {
      if (error instanceof ArtifactError || error instanceof SourceFailure) return error;
      signal.throwIfAborted();
      if (inTime.aborted) return new SourceFailure(`takes more than ${TRY_MS_MAX / 60_000} minutes`, true);
      throw error;
    }
  }

  async #go(
    source: Source,
    ref: ArtifactRef,
    part: string,
    memory: { etag: string | null },
    signal: AbortSignal,
  ): Promise<void> {
    let digest = createHash('sha256');
    const kept = await digestFile(part, digest);
    const { start, body, etag } = await ask(this.#agent, source, { start: kept, etag: memory.etag, signal });
    memory.etag = etag;
    if (start === 0) digest = createHash('sha256');
    const file = await open(part, start === 0 ? 'w' : 'r+', 0o600);
    try {
      await receive(body, { file, digest, start, bytesMax: this.options.limits.archiveBytes });
      if (digest.digest('hex') === ref.sha256) return;
      throw new ArtifactError('untrusted', `has an archive with another digest than that of ${ref.id}`);
    } catch (error) {
      // The wrong bytes may be those that were there before.
      if (!(error instanceof ArtifactError) || start === 0) throw error;
      throw new SourceFailure('does not go on with what was fetched before', true, true);
    } finally {
      await file.close();
    }
  }
}

async function holds(path: string, sha256: string): Promise<boolean> {
  const digest = createHash('sha256');
  return (await digestFile(path, digest)) > 0 && digest.digest('hex') === sha256;
}

/** Without what may be secret in a URL. */
function named<T extends ArtifactError | SourceFailure>(failure: T, source: Source): T {
  const url = URL.canParse(source.url) ? new URL(source.url) : null;
  failure.message = `${url === null ? 'a source' : `${url.origin}${url.pathname}`} ${failure.message}`;
  return failure;
}

function summary(ref: ArtifactRef, failures: readonly (ArtifactError | SourceFailure)[]): ArtifactError {
  if (failures.length === 0) {
    const what = `${ref.id} has no url, and no other agent has it`;
    return new ArtifactError('unavailable', `${what}: give it a url, or upload it to an agent`);
  }
  // Who sent the wrong archive says more than who sent none.
  const decisive = failures.find((failure) => failure instanceof ArtifactError);
  const reasons = failures.map((failure) => failure.message).join('; ');
  return new ArtifactError(decisive?.code ?? 'unavailable', `${ref.id} cannot be fetched: ${reasons}`);
}
