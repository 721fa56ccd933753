/** Is a process healthy? Asked from outside, once. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { get } from 'node:http';
import { connect } from 'node:net';
import type { RunPlan } from './run.ts';
import type { ProcessSpec } from './spec.ts';

export type HealthCheck = NonNullable<ProcessSpec['health']>;

/** What is asked, with everything filled in. */
export interface Patient {
  /** At which name or address it is asked: the one that others use, as it may listen nowhere else. */
  readonly host: string;
  readonly plan: Pick<RunPlan, 'ports' | 'env' | 'cwd' | 'user'>;
}

/** Answers why it is not healthy, or null when it is, within the timeout of the check. Never fails. */
export async function askHealth(check: HealthCheck, patient: Patient): Promise<string | null> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), check.timeout * 1000);
  try {
    return await ask(check, patient, late.signal);
  } catch (error) {
    if (late.signal.aborted) return `no answer within ${check.timeout} s`;
    return (error as Error).message || (error as NodeJS.ErrnoException).code || 'it cannot be asked';
  } finally {
    clearTimeout(timer);
  }
}

function ask(check: HealthCheck, { host, plan }: Patient, signal: AbortSignal): Promise<string | null> {
  if (check.command !== undefined) return askCommand(check.command, plan, signal);
  const port = plan.ports[check.port!];
  if (port === undefined) return Promise.resolve(`it has no port "${check.port}"`);
  return check.http === undefined ? askPort(host, port, signal) : askHttp({ host, port, path: check.http }, signal);
}

async function askHttp(
  where: { host: string; port: number; path: string },
  signal: AbortSignal,
): Promise<string | null> {
  // A connection of its own each time: one that is kept may be of the process before.
  const request = get({ ...where, agent: false, signal });
  try {
    const [response] = await once(request, 'response');
    const status: number = response.statusCode;
    return status >= 200 && status < 300 ? null : `GET ${where.path} was answered with ${status}`;
  } finally {
    request.on('error', ignore).destroy();
  }
}

async function askPort(host: string, port: number, signal: AbortSignal): Promise<string | null> {
  const socket = connect({ host, port, signal });
  try {
    await once(socket, 'connect');
    return null;
  } finally {
    socket.on('error', ignore).destroy();
  }
}

async function askCommand(
  command: readonly string[],
  plan: Patient['plan'],
  signal: AbortSignal,
): Promise<string | null> {
  const [program, ...rest] = command;
  const { cwd, env, user } = plan;
  // A group of its own, so that all of it can be ended.
  const child = spawn(program!, rest, { cwd, env: { ...env }, ...user, stdio: 'ignore', detached: true });
  try {
    const [code, killedBy] = await once(child, 'exit', { signal });
    return code === 0 ? null : `${program} ended with ${killedBy ?? `code ${code}`}`;
  } finally {
    child.on('error', ignore);
    endGroup(child.pid);
  }
}

/** Also what the command left behind: as long as something of a group lives, its number belongs to it. */
function endGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // Nothing of it is left.
  }
}

function ignore(): void {}
