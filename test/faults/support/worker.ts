/**
 * A process with an engine of its own, which sends itself a signal at the point that its plan names, if it does. It
 * submits what its parent sends and reports what it was told.
 */
import type { AppendResult, EncodedBlock } from '../../../src/ledger/ports.ts';
import { createClient } from '../../../src/mongo/client.ts';
import { MongoJournal } from '../../../src/mongo/journal.ts';
import { startEngine } from '../../support/engine.ts';
import { tellOf } from './load.ts';
import type { FromWorker, Point, ToWorker, WorkerPlan } from './worker-messages.ts';

const { uri, database, limits, end }: WorkerPlan = JSON.parse(process.argv[2]!);
const LIMITS = { callerPatienceMs: 3_000, claimPatienceMs: 3_000, recoverAfterMs: 1_000, recoveryIntervalMs: 300 };
let arrivals = 0;

function tell(message: FromWorker): void {
  process.send!(message);
}

function arriveAt(here: Point): void {
  if (here !== end?.point || ++arrivals !== end.arrival) return;
  tell('reached');
  process.kill(process.pid, end.signal);
  // The signal stops all threads, this one a moment later maybe: no other step is made until then.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
}

/** An ordered insert that is interrupted after some of its blocks, and goes on when its process does. */
class InterruptedJournal extends MongoJournal {
  override async append(blocks: readonly EncodedBlock[]): Promise<AppendResult> {
    const point = end?.point;
    if (typeof point !== 'number' || blocks.length <= point) return super.append(blocks);
    const first = await super.append(blocks.slice(0, point));
    if (first.ended !== 'done') return first;
    arriveAt(point);
    const rest = await super.append(blocks.slice(point));
    return { ...rest, landed: point + rest.landed };
  }
}

const client = await createClient(uri).connect();
const db = client.db(database);
const engine = startEngine(db, {
  journal: new InterruptedJournal(db),
  crashPoint: arriveAt,
  limits: { ...LIMITS, ...limits },
});

process.on('message', async (message: ToWorker) => {
  if (message === 'stop') {
    await engine.stop();
    await client.close();
    process.disconnect();
    return;
  }
  for (const command of message.submit) void tellOf(engine, command).then((told) => tell({ told }));
});
tell('ready');
