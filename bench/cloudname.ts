/**
 * `npm run bench:cloudname`: a thousand coordinates, all claimed and running, and how fast they are resolved and changes
 * are heard of. Option: --seconds N (3).
 */
import { parseArgs } from 'node:util';
import { Cloudname } from '../src/cloudname/cloudname.ts';
import { Coordinate } from '../src/cloudname/coordinate.ts';
import { startZooKeeper } from '../test/support/zookeeper.ts';
import { median } from './measure.ts';
import { machine } from './report.ts';

const { values: options } = parseArgs({ options: { seconds: { type: 'string', default: '3' } } });
const SECONDS = Number(options.seconds);
const SERVICES = 10;
const INSTANCES = 100;
const CLIENTS = 4;
const CHANGES = 100;
const EXPRESSIONS = ['http.any', 'http.all', 'http.7'];
const TURN = 1_000;

const zookeeper = await startZooKeeper();
const owners = await Promise.all(Array.from({ length: CLIENTS }, () => open()));
try {
  const rows = [await publishAll(), ...(await resolveAll()), await hearOfChanges()];
  process.stdout.write(`${machine()}\n\n${rows.map(([what, figure]) => `${what.padEnd(64)} ${figure}`).join('\n')}\n`);
} finally {
  await Promise.all(owners.map((owner) => owner.close()));
  await zookeeper.stop();
}

function open(): Promise<Cloudname> {
  return Cloudname.connect({ connect: zookeeper.connect, sessionMs: 10_000 });
}

async function publishAll(): Promise<[string, string]> {
  const from = performance.now();
  const all = Array.from({ length: SERVICES * INSTANCES }, (_, n) => {
    return new Coordinate(Math.floor(n / SERVICES), `s${n % SERVICES}`, 'u', 'c');
  });
  await Promise.all(
    all.map(async (at, n) => {
      const owner = owners[n % CLIENTS]!;
      await owner.create(at);
      const claim = owner.claim(at);
      await Promise.all([
        claim.putEndpoints([{ name: 'http', host: '10.0.0.1', port: 8080, protocol: 'http' }], 60_000),
        claim.setStatus('RUNNING', 'serving', 60_000),
      ]);
    }),
  );
  return [`${all.length} coordinates created, claimed and running`, `${(performance.now() - from).toFixed(0)} ms`];
}

async function resolveAll(): Promise<[string, string][]> {
  const client = await open();
  try {
    const first = performance.now();
    for (let n = 0; n < SERVICES; n++) await client.resolver.resolve(`http.all.s${n}.u.c`);
    const firstMs = (performance.now() - first) / SERVICES;
    const rows: [string, string][] = [[`first resolve of a service of ${INSTANCES}`, `${firstMs.toFixed(1)} ms`]];
    for (const expression of EXPRESSIONS) {
      let count = 0;
      const from = performance.now();
      while (performance.now() - from < SECONDS * 1000) {
        for (let turn = 0; turn < TURN; turn++) {
          const found = await client.resolver.resolve(`${expression}.s${count++ % SERVICES}.u.c`);
          if (found.length === 0) throw new Error(`${expression} finds nothing`);
        }
      }
      const perSecond = count / ((performance.now() - from) / 1000);
      rows.push([`${expression}: resolves/s (10,000 wanted)`, Math.round(perSecond).toLocaleString('en')]);
    }
    return rows;
  } finally {
    await client.close();
  }
}

async function hearOfChanges(): Promise<[string, string]> {
  const client = await open();
  const at = Coordinate.parse('0.changing.u.c');
  await owners[0]!.create(at);
  const claim = owners[0]!.claim(at);
  await claim.setStatus('RUNNING', 'serving');
  let told: () => void = () => {};
  const stop = await client.resolver.listen('http.all.changing.u.c', () => told());
  const times: number[] = [];
  for (let n = 0; n < CHANGES; n++) {
    const heard = new Promise<void>((resolve) => {
      told = resolve;
    });
    const from = performance.now();
    await claim.putEndpoints([{ name: 'http', host: '10.0.0.1', port: 1 + n, protocol: 'http' }]);
    await heard;
    times.push(performance.now() - from);
  }
  stop();
  await client.close();
  return [
    'an endpoint is published and heard of: median, worst',
    `${median(times).toFixed(1)} ms, ${Math.max(...times).toFixed(1)} ms`,
  ];
}
