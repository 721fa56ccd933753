/** As whom a process runs. */
import type { RunPlan } from './run.ts';
import type { ProcessSpec } from './spec.ts';
import { Refusal } from './templates.ts';

export interface Agent {
  readonly uid: number;
  readonly mayRunAsRoot: boolean;
}

/**
 * Whom a process is to run as; null: as the agent itself.
 *
 * @param passwd text of /etc/passwd, the only place where users are looked for
 * @throws Refusal
 */
export function resolveUser(user: ProcessSpec['user'], passwd: string, agent: Agent): RunPlan['user'] {
  if (user === null) {
    if (agent.uid !== 0 || agent.mayRunAsRoot) return null;
    throw new Refusal(
      'names no user, and the agent is root: give it one, or allow the agent to start what runs as root',
    );
  }
  const found = findUser(user, passwd);
  if (found === null)
    throw new Refusal(`user "${user}" is not in /etc/passwd of this host: add it there, or name another`);
  if (found.uid === 0 && !agent.mayRunAsRoot) {
    throw new Refusal(`user "${user}" is root: name another, or allow the agent to start what runs as root`);
  }
  if (found.uid === agent.uid) return null;
  if (agent.uid === 0) return found;
  throw new Refusal(
    `only an agent that is root can start what runs as "${user}": this one has user number ${agent.uid}`,
  );
}

function findUser(user: string | number, passwd: string): { uid: number; gid: number } | null {
  for (const line of passwd.split('\n')) {
    const [name, , uid, gid] = line.split(':');
    const isRight = /^\d+$/.test(uid ?? '') && /^\d+$/.test(gid ?? '');
    if (isRight && (typeof user === 'string' ? name === user : Number(uid) === user)) {
      return { uid: Number(uid), gid: Number(gid) };
    }
  }
  return null;
}
