/** The process that keeps one run. It is started by an agent, with the folder of the run, and goes on without it. */
import { randomBytes } from 'node:crypto';
import { groupPlaces } from './cgroup.ts';
import { Keeper } from './keeper.ts';
import { claimDurably, FILES, type KeeperFile, type PlanFile, PROTOCOL, readJson } from './keeper-files.ts';
import { identityOf, read, statOf } from './proc.ts';

// The path is used once: what is at that path later may be another run, and the socket's name must be short.
process.chdir(process.argv[2]!);
const file = readJson<PlanFile>('.', FILES.plan);
const stat = statOf(process.pid);
if (file === null || stat === null) throw new Error(`no plan in ${process.cwd()}, or no /proc: nothing is run`);

const places = groupPlaces(read('/proc/mounts') ?? '', read('/proc/self/cgroup') ?? '', randomBytes(8).toString('hex'));
const kept: KeeperFile = {
  protocol: PROTOCOL,
  keeper: identityOf(stat),
  startedAt: new Date().toISOString(),
  // Before they exist, so that none is ever without a note.
  groups: places.map(({ folder }) => folder),
};
if (claimDurably('.', FILES.keeper, kept)) await new Keeper(file, kept, places).run();
process.exit(0);
