/** An agent that starts and stops runs until it is killed, for tests that kill it: folder, plan, how (`once` or `loop`). */
import type { Run, RunPlan } from '../../src/processes/run.ts';
import { openRuns } from '../../src/processes/runs.ts';

const [folder, text, how] = process.argv.slice(2);
const plan = JSON.parse(text!) as RunPlan;
const silent = () => undefined;
const runs = await openRuns({ folder: folder!, log: { debug: silent, info: silent, warn: silent, error: silent } });

async function life(index: number): Promise<void> {
  const run: Run = await runs.start({ ...plan, run: `${plan.run}x${index}` });
  if (index % 2 === 0) await run.stop(0);
  if (index % 4 === 0) await runs.forget(run);
}

if (how === 'once') {
  const run = await runs.start(plan);
  if (plan.leaseMs !== null) setInterval(() => run.renew(plan.leaseMs!), plan.leaseMs / 10);
  process.stdout.write('started\n');
  setInterval(() => undefined, 60_000);
} else {
  process.stdout.write('started\n');
  for (let index = 0; ; index += 3) await Promise.all([life(index), life(index + 1), life(index + 2)]);
}
