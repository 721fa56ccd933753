/** What other processes of this machine are, so that one that merely got a dead one's number is never mistaken for it. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

/**
 * Command line and start time of a process, one line; null when it is gone or a zombie. Two processes with the same
 * number never have the same answer.
 */
export async function describeProcess(pid: number): Promise<string | null> {
  if (process.platform !== 'linux') {
    const ps = await promisify(execFile)('ps', ['-o', 'lstart=,command=', '-p', String(pid)]).catch(() => null);
    return ps?.stdout.trim() || null;
  }
  const [commandLine, status] = await Promise.all([read(pid, 'cmdline'), readStatus(pid)]);
  // A zombie has no command line.
  if (!commandLine || !status) return null;
  return `${status.startTime} ${commandLine.replaceAll('\0', ' ').trim()}`;
}

/**
 * When a process was started, in the system's own words; null when it is gone, its files and sockets included. One that is
 * being ended loses its command line first, and while threads are left its first one is a zombie that still has them all.
 */
export async function startTimeOf(pid: number): Promise<string | null> {
  if (process.platform !== 'linux') {
    const ps = await promisify(execFile)('ps', ['-o', 'stat=,lstart=', '-p', String(pid)]).catch(() => null);
    const [state, ...startTime] = ps?.stdout.trim().split(/\s+/) ?? [];
    return !state || state.startsWith('Z') ? null : startTime.join(' ');
  }
  const status = await readStatus(pid);
  if (!status || (status.isZombie && status.threads <= 1)) return null;
  return status.startTime;
}

function read(pid: number, file: 'cmdline' | 'stat'): Promise<string> {
  return readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
}

async function readStatus(pid: number) {
  const status = await read(pid, 'stat');
  if (!status) return null;
  // The name in parentheses, field 2, may hold spaces; counted from field 3, the state.
  const fields = status.slice(status.lastIndexOf(')') + 2).split(' ');
  return { isZombie: /[ZX]/.test(fields[0]!), threads: Number(fields[17]), startTime: fields[19]! };
}
