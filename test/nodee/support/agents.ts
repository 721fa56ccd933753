/** Agents over a part of a ZooKeeper of its own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { vi } from 'vitest';
import type { Cloudname } from '../../../src/cloudname/cloudname.ts';
import { Coordinate } from '../../../src/cloudname/coordinate.ts';
import { Agent, type AgentOptions } from '../../../src/nodee/agent.ts';
import { fleetCoordinate } from '../../../src/nodee/fleet.ts';
import { seeHosts } from '../../../src/nodee/hosts.ts';
import type { HostSeen } from '../../../src/nodee/types.ts';
import { Namespace } from '../../cloudname/support/namespace.ts';
import { silentLog } from './api.ts';
import { MemoryPorts, specOf } from './doubles.ts';

export const TOKEN = 'a-secret-of-more-than-32-characters-'.padEnd(40, 'x');
const SESSION_MS = 2_000;
export const WAIT = { timeout: 30_000, interval: 20 };

export interface Started {
  readonly folder: string;
  readonly agent: Agent;
  readonly ports: MemoryPorts;
}

export class Agents {
  readonly #folders: string[] = [];
  readonly #agents: Agent[] = [];
  readonly #led = new Map<string, Promise<void>>();

  private constructor(
    readonly namespace: Namespace,
    readonly cloudname: Cloudname,
  ) {}

  static async create(connect: string): Promise<Agents> {
    const namespace = await Namespace.create(connect);
    return new Agents(namespace, await namespace.open());
  }

  async folder(): Promise<string> {
    this.#folders.push(await mkdtemp(join(tmpdir(), 'nodee-')));
    return this.#folders.at(-1)!;
  }

  options(folder: string, changes: Partial<AgentOptions> = {}): AgentOptions {
    return {
      cloudname: { connect: this.namespace.connect, sessionMs: SESSION_MS, requestMs: 20_000 },
      ...{ where: 'nodee.ops.oslo', folder, name: 'alpha', listen: { host: '127.0.0.1', port: 0 } },
      ...{ advertisedHost: '127.0.0.1', token: TOKEN, trusted: [], artifactsKept: 3, log: silentLog },
      limits: { archiveBytes: 1 << 20, unpackedBytes: 1 << 24, files: 100 },
      ...{ ports: { from: 20_000, to: 20_100 }, mayRunAsRoot: false, memoryReserveBytes: 0 },
      ...changes,
    };
  }

  async start(folder: string, changes: Partial<AgentOptions> = {}): Promise<Started> {
    const ports = new MemoryPorts();
    const options = this.options(folder, changes);
    await this.#lead(options.where);
    const agent = await Agent.start(options, ports, new AbortController().signal);
    this.#agents.push(agent);
    return { folder, agent, ports };
  }

  /** Instead of one of the agents, which would take back what the test says is wanted of them. */
  async #lead(where: string): Promise<void> {
    const [cell, user] = where.split('.').toReversed() as [string, string];
    const lead = async () => {
      const fleet = fleetCoordinate({ user, cell });
      await this.cloudname.ensure(fleet);
      await this.cloudname.claim(fleet).held(WAIT.timeout);
    };
    const led = this.#led.get(user) ?? lead();
    this.#led.set(user, led);
    await led;
  }

  /** Writes what is wanted, with processes of these coordinates. */
  async want(at: Coordinate | string, generation: number, ...coordinates: string[]): Promise<void> {
    const processes = coordinates.map((coordinate) => specOf(coordinate));
    await this.configure(at, JSON.stringify({ generation, processes }));
  }

  async configure(at: Coordinate | string, text: string): Promise<void> {
    const coordinate = Coordinate.parse(String(at));
    await this.cloudname.ensure(coordinate);
    await this.cloudname.setConfig(coordinate, text, null);
  }

  async seen(user = 'ops'): Promise<HostSeen[]> {
    return seeHosts(this.cloudname, { user, cell: 'oslo' });
  }

  /** Waits until the host is seen so. */
  async until(at: Coordinate | string, holds: (host: HostSeen) => void, user = 'ops'): Promise<void> {
    await vi.waitFor(async () => {
      const host = (await this.seen(user)).find(({ coordinate }) => coordinate === String(at));
      if (host === undefined) throw new Error(`${at} is not seen`);
      holds(host);
    }, WAIT);
  }

  async close(): Promise<void> {
    await Promise.all(this.#agents.map((agent) => agent.stop()));
    await this.namespace.close();
    await Promise.all(this.#folders.map((folder) => rm(folder, { recursive: true, force: true, maxRetries: 5 })));
  }
}
