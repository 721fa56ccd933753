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
  const files = [readFile(`/proc/${pid}/cmdline`, 'utf8'), readFile(`/proc/${pid}/stat`, 'utf8')];
  const [commandLine, status] = await Promise.all(files).catch(() => []);
  // A zombie has no command line.
  if (!commandLine || !status) return null;
  // The name in parentheses may hold spaces; the start time is field 22, the 20th after it.
  const startTime = status.slice(status.lastIndexOf(')') + 2).split(' ')[19];
  return `${startTime} ${commandLine.replaceAll('\0', ' ').trim()}`;
}
