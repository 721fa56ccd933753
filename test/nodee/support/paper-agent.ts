/** An agent on paper: it claims its coordinate, reads what is wanted, and says that it is so. Nothing runs. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Claim } from '../../../src/cloudname/claim.ts';
import type { Cloudname } from '../../../src/cloudname/cloudname.ts';
import { Coordinate } from '../../../src/cloudname/coordinate.ts';
import { ENDPOINT, type HostReport, hostDesired } from '../../../src/nodee/types.ts';
import { type ProcessSpec, specHash } from '../../../src/processes/spec.ts';
import type { ProcessReport } from '../../../src/processes/types.ts';

export class PaperAgent {
  readonly coordinate: Coordinate;
  /** What it refuses: an artifact of this version, unless it is told otherwise. */
  refuses = (spec: ProcessSpec): boolean => spec.artifact.id.endsWith(':broken');
  #claim!: Claim;
  #stopWatching: () => void = () => undefined;
  #running: ProcessReport[] = [];
  #work: Promise<void> = Promise.resolve();

  constructor(
    readonly cloudname: Cloudname,
    number: number,
    readonly name: string,
  ) {
    this.coordinate = new Coordinate(number, 'nodee', 'pay', 'test');
  }

  async start(): Promise<void> {
    await this.cloudname.ensure(this.coordinate);
    this.#claim = this.cloudname.claim(this.coordinate);
    await this.#publish();
    await this.#claim.setStatus('RUNNING', '');
    this.#stopWatching = this.cloudname.watchConfig(this.coordinate, (event) => {
      if (event.type === 'UPDATED' && event.text !== '') this.#follow(event.text);
    });
  }

  async stop(): Promise<void> {
    this.#stopWatching();
    await this.#work;
    await this.#claim.release();
  }

  #follow(text: string): void {
    const { processes } = hostDesired.parse(JSON.parse(text));
    this.#work = this.#work.then(async () => {
      await sleep(20);
      this.#running = processes.map((spec) => this.#next(spec));
      await this.#publish();
    });
  }

  #next(spec: ProcessSpec): ProcessReport {
    const before = this.#running.find(({ coordinate }) => coordinate === spec.coordinate);
    const isRefused = this.refuses(spec);
    const runs = isRefused ? (before?.spec ?? null) : specHash(spec);
    const state = !spec.run ? 'stopped' : runs === null ? 'failed' : 'running';
    return {
      ...{ coordinate: spec.coordinate, state, message: isRefused ? 'it is not healthy' : '' },
      ...{ artifact: isRefused ? (before?.artifact ?? null) : spec.artifact.id, spec: runs },
      ...{ refused: isRefused ? specHash(spec) : null, pid: null, ports: {}, restarts: 0, since: '' },
      ...{ memory_bytes: null, cpu: null, limits: {} },
    };
  }

  #publish(): Promise<void> {
    const figures = { uptime_seconds: 1, cores: 2, load: 0.1, memory_total_bytes: 1e9, memory_available_bytes: 5e8 };
    const report: HostReport = {
      ...{ host: this.name, version: '1', generation: null, at: new Date(0).toISOString(), ...figures },
      ...{ disk_free_bytes: 1e9, processes: this.#running, problems: [] },
    };
    const at = { host: '127.0.0.1', port: 1, protocol: 'http' };
    return this.#claim.putEndpoints([{ name: ENDPOINT, ...at, endpointData: JSON.stringify(report) }]);
  }
}
