import { execFileSync } from 'node:child_process';

/** Set where nothing may be left out, as in continuous integration. */
const ALL_REQUIRED = process.env.ALL_FAULTS === '1';

/**
 * Can this machine do what some faults need: namespaces, mounts, a skewed clock? Elsewhere these tests are left out, with
 * the reason on the screen, unless `ALL_FAULTS=1` asks for all of them.
 */
export const canInjectAll = ALL_REQUIRED || isAble();

function isAble(): boolean {
  if (process.platform !== 'linux') return leftOut('this is not Linux');
  if (process.getuid?.() !== 0) return leftOut('this is not root');
  for (const tool of ['ip', 'faketime']) {
    try {
      execFileSync('which', [tool], { stdio: 'ignore' });
    } catch {
      return leftOut(`${tool} is not installed: run npm run setup`);
    }
  }
  return true;
}

function leftOut(reason: string): false {
  console.warn(`partitions, full disks and skewed clocks are not tested here: ${reason}`);
  return false;
}
