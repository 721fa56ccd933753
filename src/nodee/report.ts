/** How a host is, as its agent tells it. */
import { readFile, statfs } from 'node:fs/promises';
import { availableParallelism, freemem, loadavg, totalmem } from 'node:os';
import type { HostReport } from './types.ts';

/** As it stands in the status node: JSON in a JSON string, beside what else is there. ZooKeeper takes 1 MiB. */
const PUBLISHED_BYTES_MAX = 900_000;
const MESSAGE_LENGTH_MAX = 100;
const PROBLEMS_MAX = 20;
const PROBLEM_LENGTH_MAX = 1_000;

type Figures = Pick<HostReport, 'cores' | 'load' | 'memory_total_bytes' | 'memory_available_bytes' | 'disk_free_bytes'>;

/** @param folder On the disk that is looked at. */
export async function hostFigures(folder: string): Promise<Figures> {
  const disk = await statfs(folder);
  return {
    cores: availableParallelism(),
    load: loadavg()[0]!,
    memory_total_bytes: totalmem(),
    memory_available_bytes: await availableMemory(),
    disk_free_bytes: disk.bavail * disk.bsize,
  };
}

/** What can be had without ending anything: unlike what is free, without what is only cached. */
async function availableMemory(): Promise<number> {
  const text = await readFile('/proc/meminfo', 'utf8').catch(() => '');
  const match = /^MemAvailable:\s+(\d+) kB$/m.exec(text);
  return match === null ? freemem() : Number(match[1]) * 1024;
}

/** The report as text for the endpoint, shortened when a node could not hold it, which it then says. */
export function publishable(report: HostReport): string {
  const bounded = { ...report, problems: boundedProblems(report.problems) };
  return (
    [bounded, withoutMessages(bounded), withoutProcesses(bounded)].map((each) => JSON.stringify(each)).find(fits) ??
    JSON.stringify(withoutProcesses({ ...bounded, problems: [] }))
  );
}

function fits(text: string): boolean {
  return Buffer.byteLength(JSON.stringify(text)) <= PUBLISHED_BYTES_MAX;
}

function boundedProblems(problems: readonly string[]): string[] {
  const shown = problems.slice(0, PROBLEMS_MAX).map((problem) => problem.slice(0, PROBLEM_LENGTH_MAX));
  return problems.length > PROBLEMS_MAX ? [...shown, `and ${problems.length - PROBLEMS_MAX} more`] : shown;
}

function withoutMessages(report: HostReport): HostReport {
  const processes = report.processes.map((each) => ({ ...each, message: each.message.slice(0, MESSAGE_LENGTH_MAX) }));
  return { ...report, processes, problems: [...report.problems, 'the messages of processes are shortened here'] };
}

/** As many of them as fit, of which the halves are tried: exactness is worth nothing here. */
function withoutProcesses(report: HostReport): HostReport {
  const all = withoutMessages(report).processes;
  for (let count = Math.floor(all.length / 2); ; count = Math.floor(count / 2)) {
    const left = all.length - count;
    const problem = `${left} of ${all.length} processes are left out here, as there is no room; the agent itself tells all`;
    const shortened = { ...report, processes: all.slice(0, count), problems: [...report.problems, problem] };
    if (count === 0 || fits(JSON.stringify(shortened))) return shortened;
  }
}
