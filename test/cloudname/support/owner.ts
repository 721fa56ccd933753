/**
 * A process that claims a coordinate and runs there, or takes a lock of its service: for tests that kill it, halt it or
 * cut it off. Its arguments: the connect string, the coordinate, the session's time in ms and, for a lock, its name.
 *
 * It writes lines of JSON: what happens to it, and every 20 ms whether it takes itself for the holder.
 */
import { Cloudname } from '../../../src/cloudname/cloudname.ts';
import { Coordinate } from '../../../src/cloudname/coordinate.ts';

const LINE_EVERY_MS = 20;
const WAIT_MS_MAX = 120_000;

const [connect, coordinate, sessionMs, lockName] = process.argv.slice(2);
const at = Coordinate.parse(coordinate!);
const cloudname = Cloudname.open({ connect: connect!, sessionMs: Number(sessionMs) });
let holding: { isHeld(): boolean } | null = null;

const SESSION_EVENTS = ['connected', 'disconnected', 'uncertain', 'certain', 'expired', 'closed'] as const;
for (const event of SESSION_EVENTS) cloudname.session.on(event, () => tell(event));
setInterval(() => {
  // In this order: whoever is halted between the two must not claim more than is true.
  const now = Date.now();
  write({ at: now, held: holding?.isHeld() ?? false });
}, LINE_EVERY_MS);

if (lockName === undefined) await runAtCoordinate();
else await takeLock(lockName);

async function runAtCoordinate(): Promise<void> {
  const claim = cloudname.claim(at);
  holding = claim;
  claim.on('held', () => tell('held')).on('lost', () => tell('lost'));
  claim.on('event', (event) => tell(event)).on('problem', (error) => tell(`problem: ${error}`));
  await claim.putEndpoints([{ name: 'http', host: 'h', port: 80, protocol: 'http' }], WAIT_MS_MAX);
  await claim.setStatus('RUNNING', '', WAIT_MS_MAX);
  tell('running');
}

async function takeLock(name: string): Promise<void> {
  const lock = await cloudname.lock({ coordinate: at, scope: 'service', name }, WAIT_MS_MAX);
  holding = lock;
  lock?.on('lost', () => tell('lost'));
  tell('running');
}

function tell(event: string): void {
  write({ at: Date.now(), event });
}

function write(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
