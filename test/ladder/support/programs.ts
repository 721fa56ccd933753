import { spawnSync } from 'node:child_process';

/** Systems keep servers where not every user's PATH looks. */
const PATH = `${process.env.PATH}:/usr/sbin:/usr/local/sbin`;

/** Is it installed? Says so on the screen if it is not, as something is not tested then. */
export function has(program: string): boolean {
  const { error } = spawnSync(program, ['-v'], { stdio: 'ignore', env: { ...process.env, PATH } });
  if (error) console.warn(`the ladder is not tested with ${program} here: it is not installed`);
  return error === undefined;
}
