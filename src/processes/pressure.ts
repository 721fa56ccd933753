/** Who is ended when the memory of a host runs out, before the kernel chooses for itself. */
import { readFile } from 'node:fs/promises';

/** Under this share of the reserve somebody is ended, also when all use no more than they said. */
const DIRE = 0.5;
const MIB = 2 ** 20;

export interface Suspect {
  readonly value: number;
  readonly usedBytes: number;
  /** Null: nobody said. */
  readonly expectedBytes: number | null;
}

/**
 * Who is to be ended, so that the others can go on; null: nobody. Of those that use more than they said whoever is worth
 * least, then who is over by most. What is over is not known of those that said nothing: they are ended, as all that keep
 * to what they said, only when it gets dire.
 */
export function chooseVictim<T extends Suspect>(
  suspects: readonly T[],
  availableBytes: number,
  reserveBytes: number,
): T | null {
  if (availableBytes >= reserveBytes) return null;
  const over = suspects.filter((suspect) => overBytes(suspect) > 0);
  if (over.length > 0) return first(over, overBytes);
  if (availableBytes >= reserveBytes * DIRE) return null;
  return first(
    suspects.filter(({ usedBytes }) => usedBytes > 0),
    ({ usedBytes }) => usedBytes,
  );
}

/** For people, with figures. */
export function describePressure(
  { value, usedBytes, expectedBytes }: Suspect,
  availableBytes: number,
  reserveBytes: number,
): string {
  const expected = expectedBytes === null ? 'no amount was expected' : `of ${mib(expectedBytes)} expected`;
  return (
    `${mib(availableBytes)} of memory available, less than the reserve of ${mib(reserveBytes)}; ` +
    `used ${mib(usedBytes)}, ${expected}, value ${value}`
  );
}

/** Bytes that can be had without swapping; null: this machine does not say. */
export async function availableMemory(): Promise<number | null> {
  const text = await readFile('/proc/meminfo', 'utf8').catch(() => '');
  const match = /^MemAvailable:\s+(\d+) kB$/m.exec(text);
  return match === null ? null : Number(match[1]) * 1024;
}

function overBytes({ usedBytes, expectedBytes }: Suspect): number {
  return expectedBytes === null ? 0 : usedBytes - expectedBytes;
}

function first<T extends Suspect>(suspects: readonly T[], weight: (suspect: T) => number): T | null {
  return [...suspects].sort((a, b) => a.value - b.value || weight(b) - weight(a))[0] ?? null;
}

function mib(bytes: number): string {
  return `${Math.round(bytes / MIB)} MiB`;
}
