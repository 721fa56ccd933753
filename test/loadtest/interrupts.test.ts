import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { RunResult } from '../../src/loadtest/result.ts';
import { Run } from '../../src/loadtest/run.ts';
import { useService } from '../service/support/service.ts';
import { generatorsOf, isAlive } from './support/generator-processes.ts';
import { startLyingProxy } from './support/lying-proxy.ts';
import { scenarioOf } from './support/scenario-of.ts';

const CLI = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));
const LONG = scenarioOf({ profile: { kind: 'constant', perSecond: 20, seconds: 600 } });

// Starting processes takes long on a machine that is busy.
vi.setConfig({ testTimeout: 180_000 });

const service = useService();

async function areGone(pids: readonly number[]): Promise<void> {
  await vi.waitFor(() => expect(pids.filter(isAlive)).toEqual([]), { timeout: 20_000, interval: 50 });
}

/** A load test with a process group of its own, as a terminal gives it one. */
class Tool {
  stdout = '';
  stderr = '';
  readonly #child: ChildProcess;
  readonly exited: Promise<number | null>;
  /** The same, once all was read. */
  readonly ended: Promise<number | null>;

  constructor(args: readonly string[]) {
    const env = { ...process.env, KVITT_API_KEY: service.api.key };
    this.#child = spawn(process.execPath, ['--import', 'tsx', CLI, 'loadtest', ...args], { env, detached: true });
    this.#child.stdout!.on('data', (chunk) => {
      this.stdout += chunk;
    });
    this.#child.stderr!.on('data', (chunk) => {
      this.stderr += chunk;
    });
    this.exited = new Promise((resolve) => this.#child.once('exit', resolve));
    this.ended = new Promise((resolve) => this.#child.once('close', resolve));
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** As Ctrl-C does: to all processes of the group. */
  interrupt(): void {
    process.kill(-this.pid, 'SIGINT');
  }
}

/** One whose users have begun to pay. */
async function startTool(): Promise<Tool> {
  const folder = await mkdtemp(join(tmpdir(), 'kvitt-loadtest-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'long.json');
  await writeFile(file, JSON.stringify(LONG));
  let paid = false;
  const target = await startLyingProxy(
    service.api.address,
    (passed, pass) => {
      paid = true;
      return pass(passed);
    },
    onTestFinished,
  );
  const tool = new Tool(['run', file, '--target', target, '--processes', '2', '--json', '--out', join(folder, 'out')]);
  await vi.waitFor(() => expect(paid, tool.stderr).toBe(true), { timeout: 120_000, interval: 50 });
  return tool;
}

test('a load test that is interrupted once ends early, and is compared with the ledger', async () => {
  const tool = await startTool();
  const generators = generatorsOf(tool.pid);
  expect(generators).toHaveLength(2);
  tool.interrupt();
  expect([0, 3]).toContain(await tool.ended);
  const { ledger, seconds, counts } = JSON.parse(tool.stdout) as RunResult;
  expect(ledger).toMatchObject({ ok: true, faults: [], unknown: 0 });
  expect(ledger.acknowledged).toBe(counts.ok);
  expect(seconds).toBeLessThan(600);
  await areGone(generators);
});

test('a load test that is interrupted twice ends at once, with nobody left behind', async () => {
  const tool = await startTool();
  const generators = generatorsOf(tool.pid);
  process.kill(generators[0]!, 'SIGSTOP');
  onTestFinished(() => {
    if (isAlive(generators[0]!)) process.kill(generators[0]!, 'SIGKILL');
  });
  tool.interrupt();
  await vi.waitFor(() => expect(tool.stderr).toContain('Once more ends it at once'), { timeout: 20_000 });
  tool.interrupt();
  expect(await tool.exited).toBe(2);
  process.kill(generators[0]!, 'SIGCONT');
  await areGone(generators);
});

test('a run one of whose generators is killed ends with an error, with nobody left behind', async () => {
  const { address, key: apiKey } = service.api;
  let generators: number[] = [];
  const run = new Run(
    { scenario: LONG, addresses: [address], apiKey, queue: null, processes: 2 },
    {
      onSecond: () => {
        if (generators.length > 0) return;
        generators = generatorsOf(process.pid);
        process.kill(generators[0]!, 'SIGKILL');
      },
    },
  );
  await expect(run.carryOut()).rejects.toThrow(/a generator process \(\d+\) has ended by itself: SIGKILL/);
  expect(generators).toHaveLength(2);
  await areGone(generators);
});
