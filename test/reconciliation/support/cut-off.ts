/** Ways in which a run is disturbed. */
import type { RunDeps } from '../../../src/reconciliation/run.ts';

/** What a process does when it is killed: nothing more. */
export class CutOff extends Error {
  override readonly name = 'CutOff';
}

const READS = ['openBefore', 'settledItems', 'items', 'read'];
const PORTS = ['store', 'breaks', 'files', 'items', 'notices'] as const;

/** The same ports, of which each call is first given to `around`, which makes it or not. */
function around(deps: RunDeps, how: (call: () => unknown, isRead: boolean) => unknown): RunDeps {
  const wrapped = <Port extends object>(port: Port): Port =>
    new Proxy(port, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== 'function') return member;
        // What is read piece by piece is no promise.
        const isRead = READS.includes(String(name));
        return (...given: unknown[]) => how(() => Reflect.apply(member, target, given), isRead);
      },
    });
  return { ...deps, ...Object.fromEntries(PORTS.map((name) => [name, wrapped(deps[name])])) };
}

/** Ends at the call of that number, from 0, with or without its effect; so do all calls after it. */
export function cutOffAt(deps: RunDeps, at: number, isDone: boolean): RunDeps {
  let count = 0;
  return around(deps, (call) => {
    const number = count++;
    if (number < at) return call();
    if (number > at || !isDone) throw new CutOff('cut off');
    const answer = call();
    if (!(answer instanceof Promise)) throw new CutOff('cut off');
    return answer.then(() => {
      throw new CutOff('cut off');
    });
  });
}

/** Each call waits for some turns of the others, before it and after it. */
export function slow(deps: RunDeps, random: (below: number) => number): RunDeps {
  const pause = async () => {
    for (let left = random(8); left > 0; left--) await new Promise(setImmediate);
  };
  return around(deps, (call, isRead) => {
    if (isRead) return call();
    return pause()
      .then(call)
      .then((value) => pause().then(() => value));
  });
}
