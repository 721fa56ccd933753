/**
 * How a program comes to be: one process that first is a shell with the keeper's rights, which enters the control groups and
 * sets limits, then gives up these rights, and at last becomes the program. Its number is the same all the way.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Groups } from './cgroup.ts';
import { FILES } from './keeper-files.ts';
import type { RunPlan } from './run.ts';

const SHELL = '/bin/sh';
const ENVIRONMENT_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const ID_NONE = 2 ** 32 - 1;
/** Of a probe of the tools. */
const PROBE_MS_MAX = 5_000;

export interface Launched {
  readonly child: ChildProcess;
  /** Lines of standard error that the program cannot know, and so did not write. */
  readonly marks: { readonly ready: string; readonly failed: string };
}

/**
 * Starts the program of a plan. Until a line `marks.ready` came, none of it has run; a line `marks.failed` says that it
 * could not be run.
 *
 * @param folder of the run, in which the process notes who it is before it is the program
 * @param groups which it enters; a limit that none of them keeps is set on the process
 * @throws Error when this machine cannot run it as wanted
 */
export function launch(plan: RunPlan, folder: string, groups: Groups): Launched {
  const mark = randomBytes(16).toString('hex');
  const marks = { ready: `${mark} ready`, failed: `${mark} failed` };
  const become = becomeScript(plan.env, marks);
  const asUser = [...rightsCommand(plan.user), SHELL, '-s', '--', ...plan.command];
  // Nothing of the program's environment before the rights are given up: LD_PRELOAD would act with ours.
  const child = spawn(SHELL, ['-c', enterScript(plan, folder, groups), 'sh', ...asUser], {
    env: {},
    cwd: plan.cwd,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  // It may end before it has read all of its script.
  child.stdin!.on('error', () => undefined);
  child.stdin!.end(become);
  return { child, marks };
}

/**
 * The order counts: whoever finds the keeper dead finds the note of every process that goes on from here, as one that
 * noted itself later sees that its parent is another one, and ends.
 */
function enterScript(plan: RunPlan, folder: string, groups: Groups): string {
  const { memory, files } = plan.limits;
  return [
    `read -r stat < /proc/$$/stat && echo "$stat" > ${quoted(join(folder, FILES.program))} || exit`,
    IS_KEPT,
    ...groups.joined.map((group) => `echo $$ > ${quoted(join(group, 'cgroup.procs'))} || exit`),
    // Private writable memory. Not the address space: V8 and the JVM reserve far more of that than they use.
    ...(memory !== undefined && groups.kept.memory === undefined
      ? [`ulimit -d ${Math.max(1, Math.floor(memory / 1_024))} || exit`]
      : []),
    ...(files !== undefined ? [filesScript(files)] : []),
    'exec "$@"',
  ].join('\n');
}

function filesScript(files: number): string {
  const why = `limits.files is ${files}, and the agent may have no more than $(ulimit -Hn) itself (LimitNOFILE with systemd)`;
  return `ulimit -n ${files} 2>/dev/null || { echo "${why}" >&2; exit 2; }`;
}

const IS_KEPT = `read -r _ _ _ parent _ < /proc/$$/stat; [ "$parent" = ${process.pid} ] || exit 1`;

/** Read from standard input, so that no secret of the environment is among arguments, which everybody sees. */
function becomeScript(env: RunPlan['env'], marks: Launched['marks']): string {
  const wrong = Object.keys(env).find((name) => !ENVIRONMENT_NAME.test(name));
  if (wrong !== undefined) throw new Error(`"${wrong}" is no name of an environment variable`);
  return [
    'unset PWD OLDPWD SHLVL _',
    ...Object.entries(env).map(([name, value]) => `export ${name}=${quoted(value)}`),
    // Again: the signal for the death of the parent is in force only now.
    IS_KEPT,
    `trap 'echo "${marks.failed}" >&2' EXIT`,
    `echo "${marks.ready}" >&2`,
    'exec "$@" </dev/null',
    '',
  ].join('\n');
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The command in front of another one, by which it has that user's rights and ends with its parent. */
function rightsCommand(user: RunPlan['user']): string[] {
  // All ones mean "as before" to the kernel: it would run with our rights.
  const isUser = (id: number) => Number.isInteger(id) && id >= 0 && id < ID_NONE;
  if (user !== null && !(isUser(user.uid) && isUser(user.gid)))
    throw new Error(`there is no user ${user.uid}:${user.gid}`);
  const isAnother = user !== null && (user.uid !== process.getuid!() || user.gid !== process.getgid!());
  const canBind = canDieWithParent();
  if (!isAnother) return canBind ? ['setpriv', '--pdeathsig', 'KILL'] : [];
  if (!canBind) throw new Error('setpriv is needed to run it as another user: install util-linux 2.33 or later');
  return [
    ...['setpriv', '--reuid', `${user.uid}`, '--regid', `${user.gid}`, '--clear-groups'],
    // After the change of the user, which resets it.
    ...['--pdeathsig', 'KILL'],
  ];
}

function canDieWithParent(): boolean {
  // Not every setpriv knows it, as that of BusyBox.
  const { stdout } = spawnSync(SHELL, ['-c', 'setpriv --help'], { env: {}, timeout: PROBE_MS_MAX, encoding: 'utf8' });
  return stdout?.includes('--pdeathsig') ?? false;
}
