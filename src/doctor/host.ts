/** What this machine gives the process. */
import { readFile } from 'node:fs/promises';
import { type Check, fail, ok, warn } from './check.ts';

const NODE_MIN = [20, 19] as const;
const FILES_MIN = 1_024;
/** Beside the requests: files, connections to MongoDB, SQS, ZooKeeper and other instances. */
const FILES_OTHER = 256;
const GIB = 1 << 30;
const DISK_BYTES_MIN = GIB;
const DISK_BYTES_LOW = 5 * GIB;
const DISK_SHARE_LOW = 0.1;

export function nodeCheck(version: string): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isNewEnough = major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1]);
  if (isNewEnough) return ok('node', version);
  return fail('node', version, `install Node ${NODE_MIN.join('.')} or newer`);
}

/** `limits`: the text of `/proc/self/limits`; null: this system has none. `requestsMax`: under way at once, of each kind. */
export function filesCheck(limits: string | null, requestsMax: number): Check {
  const name = 'open files';
  const text = limits === null ? undefined : /^Max open files\s+(\S+)/m.exec(limits)?.[1];
  if (text === undefined)
    return warn(name, 'the limit is not told here', 'see to it that `ulimit -n` is 10000 or more');
  // Reads and writes are counted apart.
  const wanted = 2 * requestsMax + FILES_OTHER;
  const limit = text === 'unlimited' ? Number.POSITIVE_INFINITY : Number(text);
  const next = `raise the limit (ulimit -n, LimitNOFILE) to ${wanted}: each request under way holds a connection`;
  if (limit < Math.min(FILES_MIN, wanted)) return fail(name, text, next);
  return limit < wanted ? warn(name, text, next) : ok(name, text);
}

export async function readLimits(): Promise<string | null> {
  return readFile('/proc/self/limits', 'utf8').catch(() => null);
}

export function diskCheck(name: string, freeBytes: number, totalBytes: number): Check {
  const found = `${gib(freeBytes)} of ${gib(totalBytes)} GiB free`;
  if (freeBytes < DISK_BYTES_MIN) return fail(name, found, 'make room now: MongoDB ends itself when its disk is full');
  if (freeBytes < DISK_BYTES_LOW || freeBytes < totalBytes * DISK_SHARE_LOW) {
    return warn(name, found, 'make room: the journal only grows');
  }
  return ok(name, found);
}

function gib(bytes: number): string {
  return (bytes / GIB).toFixed(1);
}
