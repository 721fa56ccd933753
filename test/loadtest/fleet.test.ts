import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { Fleet, type FleetEvents } from '../../src/loadtest/fleet.ts';
import { addUp, Tally } from '../../src/loadtest/tally.ts';
import { isAlive } from './support/generator-processes.ts';
import { planOf } from './support/generators.ts';
import { paying, startServer } from './support/local-server.ts';

const PARENT = fileURLToPath(new URL('./support/fleet-parent.ts', import.meta.url));
const SILENT: FleetEvents = { piece: () => undefined, phase: () => undefined };
const LONG = { profile: { kind: 'constant', perSecond: 50, seconds: 60 } } as const;
const SHORT = { profile: { kind: 'constant', perSecond: 100, seconds: 1 } } as const;

// Starting processes takes long on a machine that is busy.
vi.setConfig({ testTimeout: 180_000 });

let fleet: Fleet | null = null;
afterEach(async () => {
  await fleet?.close();
  fleet = null;
});

async function startFleet(processes: number): Promise<Fleet> {
  fleet = await Fleet.start(processes);
  return fleet;
}

/** Of this process. */
function childrenCount(): number {
  return process.getActiveResourcesInfo().filter((resource) => resource === 'ProcessWrap').length;
}

async function areGone(pids: readonly number[]): Promise<void> {
  await vi.waitFor(() => expect(pids.filter(isAlive)).toEqual([]), { timeout: 20_000, interval: 50 });
}

describe('a fleet', () => {
  test('sends together what one generator would send', async () => {
    const keys: string[] = [];
    const { address } = await startServer(
      paying(async (request) => {
        keys.push(String(request.headers['idempotency-key']));
      }),
    );
    const two = await startFleet(2);
    const tally = new Tally();
    const startAt = Date.now() + 500;
    const ended = await two.run(planOf(address, { scenario: SHORT, startAt }), {
      ...SILENT,
      piece: (generator, piece) => tally.add(generator, piece),
    });
    const { counts, journeys } = addUp(ended);
    expect(counts).toMatchObject({ ok: 100, held_back: 0, unknown: 0 });
    expect(journeys).toEqual({ begun: 100, ended: 100, brokenOff: 0 });
    expect(new Set(keys).size).toBe(100);
    expect([...tally.calls].map(({ call }) => call)).toEqual(Array.from({ length: 100 }, (_, call) => call));
    await two.close();
    await areGone(two.pids);
  });

  test('whose processes do not start says so, and leaves nobody behind', async () => {
    vi.stubEnv('NODE_OPTIONS', '--import=/there/is/no/such/module.mjs');
    onTestFinished(() => void vi.unstubAllEnvs());
    const before = childrenCount();
    await expect(Fleet.start(2)).rejects.toThrow(/a generator process \(\d+\) has ended by itself: exit code 1/);
    await vi.waitFor(() => expect(childrenCount()).toBe(before), { timeout: 20_000, interval: 50 });
  });

  test('one of which is killed cannot be believed: the run ends with an error, and nobody is left behind', async () => {
    const { address } = await startServer(paying());
    const two = await startFleet(2);
    const running = two.run(planOf(address, { scenario: LONG }), {
      ...SILENT,
      piece: () => process.kill(two.pids[1]!, 'SIGKILL'),
    });
    await expect(running).rejects.toThrow(`a generator process (${two.pids[1]}) has ended by itself: SIGKILL`);
    await two.close();
    await areGone(two.pids);
  });

  test('one of which is killed before it begins says so', async () => {
    const two = await startFleet(2);
    process.kill(two.pids[0]!, 'SIGKILL');
    await areGone([two.pids[0]!]);
    const running = two.run(planOf('http://127.0.0.1:1', { scenario: SHORT }), SILENT);
    await expect(running).rejects.toThrow(`a generator process (${two.pids[0]}) has ended by itself: SIGKILL`);
  });

  test('is not ended by interrupts of the terminal, but by being told', async () => {
    const { address } = await startServer(paying());
    const one = await startFleet(1);
    let pieces = 0;
    const ended = await one.run(planOf(address, { scenario: LONG }), {
      ...SILENT,
      piece: () => {
        pieces++;
        if (pieces <= 2) process.kill(one.pids[0]!, 'SIGINT');
        else one.stop();
      },
    });
    expect(pieces).toBeGreaterThanOrEqual(3);
    const { begun, ended: whole, brokenOff } = ended[0]!.journeys;
    expect(begun).toBeLessThan(3_000);
    expect(whole + brokenOff).toBe(begun);
    one.stop();
    await one.close();
    one.stop();
  });

  test('is closed even when a process of it does not listen any more', async () => {
    const one = await startFleet(1);
    process.kill(one.pids[0]!, 'SIGSTOP');
    await one.close();
    await areGone(one.pids);
  });

  test('ends with the process that started it', async () => {
    const parent = spawn(process.execPath, ['--import', 'tsx', PARENT], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [said] = (await once(parent.stdout, 'data')) as [Buffer];
    const pids = JSON.parse(said.toString()) as number[];
    expect(pids.filter(isAlive)).toHaveLength(2);
    parent.kill('SIGKILL');
    await areGone(pids);
  });
});
