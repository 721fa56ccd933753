import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const LIBRARIES = '/usr/lib';
const LIBRARY = 'faketime/libfaketime.so.1';
const REREAD_S = 1;

/** A clock that a process takes for the time of day, and that can be set while it runs. Durations stay true. */
export class SkewedClock {
  private constructor(
    readonly folder: string,
    readonly library: string,
  ) {}

  static async create(offSeconds: number): Promise<SkewedClock> {
    const clock = new SkewedClock(await mkdtemp(join(tmpdir(), 'kvitt-clock-')), findLibrary());
    await clock.#write(offSeconds);
    return clock;
  }

  /** Of a process that goes by this clock. */
  get environment(): Record<string, string> {
    return {
      LD_PRELOAD: this.library,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_CACHE_DURATION: String(REREAD_S),
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
  }

  /** How many seconds it is ahead, from now on. */
  async set(offSeconds: number): Promise<void> {
    await this.#write(offSeconds);
    await sleep(1000 * REREAD_S);
  }

  remove(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true });
  }

  get #file(): string {
    return join(this.folder, 'faketimerc');
  }

  #write(offSeconds: number): Promise<void> {
    return writeFile(this.#file, `${offSeconds < 0 ? '' : '+'}${offSeconds}s\n`);
  }
}

/** In the folder of this machine's architecture, as Debian installs it. */
function findLibrary(): string {
  const library = readdirSync(LIBRARIES)
    .map((folder) => join(LIBRARIES, folder, LIBRARY))
    .find(existsSync);
  if (library === undefined) throw new Error(`there is no ${LIBRARY} below ${LIBRARIES}: install faketime`);
  return library;
}
