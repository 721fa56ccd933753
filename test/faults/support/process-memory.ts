import { readFile } from 'node:fs/promises';

/** What a process keeps in memory now, in MiB, as Linux says; null: it is gone, or this is not Linux. */
export async function residentMiB(pid: number): Promise<number | null> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  return kib === undefined ? null : Number(kib) / 1024;
}
