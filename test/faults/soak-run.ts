import { performance } from 'node:perf_hooks';
import { expect, it, onTestFinished } from 'vitest';
import { startEmbeddedReplicaSet } from '../../src/mongo/embedded.ts';
import { seeded } from '../simulation/virtual-world.ts';
import { quietLog } from '../support/log.ts';
import { LiveLoad } from './support/live-load.ts';
import { Network } from './support/network.ts';
import { faultsFor, MEMBERS, type Scene, SERVICE } from './support/random-faults.ts';
import { IMPATIENT } from './support/replica-set.ts';
import { canInjectAll } from './support/requirements.ts';
import { SkewedClock } from './support/skewed-clock.ts';
import { EngineTaker, WorkerTaker } from './support/takers.ts';

const MINUTE_MS = 60_000;
const MINUTES = Number(process.env.SOAK_MINUTES);
const SEED = Number(process.env.SOAK_SEED);
/** Then all is checked, and the next round begins over a new database: what is checked is kept in memory. */
const ROUND_MS = 2 * MINUTE_MS;
const FAULT_MS_MAX = 12_000;
const REST_MS_MAX = 3_000;
/** For what the last fault and the last check take. */
const GRACE_MS = 5 * MINUTE_MS;
const ENGINES = 2;

/** A replica set and what is around it, gone when the run ends. */
async function makeSurroundings() {
  const network = canInjectAll ? await Network.create([...MEMBERS, SERVICE]) : null;
  if (network) onTestFinished(() => network.remove());
  const places = network ? { places: MEMBERS.map((member) => network.place(member)) } : {};
  const set = await startEmbeddedReplicaSet({ dataDir: null, log: quietLog, ...places });
  onTestFinished(() => set.stop());
  const clock = canInjectAll ? await SkewedClock.create(0) : null;
  if (clock) onTestFinished(() => clock.remove());
  return { network, set, clock, random: seeded(SEED) };
}

/** One round: engines in this process and in others under load, faults until its time is over, and the check. */
async function survive(around: Omit<Scene, 'workers'>, database: string, ms: number) {
  const { set, network, clock, random } = around;
  const until = performance.now() + ms;
  const plan = { uri: set.uri, database };
  const load = await LiveLoad.over(set.uri, database);
  const workers = [
    new WorkerTaker(plan, clock ? { environment: clock.environment } : {}),
    new WorkerTaker(plan, network ? { within: network.place(SERVICE).within } : {}),
  ];
  const scene = { ...around, workers };
  const faults = faultsFor(scene);
  let suffered = 0;
  try {
    for (let n = 0; n < ENGINES; n++) load.add(await EngineTaker.start(set.uri, database, IMPATIENT));
    load.add(...workers);
    await load.progress(20);
    while (performance.now() < until) {
      const [name, fault] = faults[Math.floor(random() * faults.length)]!;
      const from = performance.now();
      await fault(scene, random() * FAULT_MS_MAX);
      const ended = performance.now();
      await load.progress(20);
      const [lasted, wentOn] = [ended - from, performance.now() - ended].map((each) => (each / 1000).toFixed(1));
      const acknowledged = `${load.acknowledged().length} acknowledged`;
      console.info(`${database} ${++suffered}: ${name}, ${lasted} s; all went on after ${wentOn} s; ${acknowledged}`);
      await new Promise((resolve) => setTimeout(resolve, random() * REST_MS_MAX));
    }
    const found = await load.end(suffered);
    return { found, suffered, operations: load.calls.length + load.reads.length };
  } finally {
    await network?.heal();
    for (const member of set.members) await member.kill('SIGCONT');
    for (const worker of workers) worker.signal('SIGCONT');
    await load.close();
  }
}

it(`survives ${MINUTES} minutes with seed ${SEED}`, { timeout: MINUTES * MINUTE_MS + GRACE_MS }, async () => {
  const around = await makeSurroundings();
  const from = performance.now();
  const until = from + MINUTES * MINUTE_MS;
  const sum = { operations: 0, faults: 0 };
  for (let round = 1; performance.now() < until; round++) {
    const ms = Math.min(ROUND_MS, until - performance.now());
    const { found, suffered, operations } = await survive(around, `soak_${round}`, ms);
    expect(found).toEqual([]);
    sum.operations += operations;
    sum.faults += suffered;
  }
  const seconds = Math.round((performance.now() - from) / 1000);
  console.info(`soak: ${sum.operations} operations, ${sum.faults} faults, ${seconds} s survived, seed ${SEED}`);
});
