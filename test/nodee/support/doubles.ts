/** Light stand-ins for what an agent is made of, and what tests look at in them. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { ArtifactError, type ArtifactRef } from '../../../src/artifacts/artifact.ts';
import type { ArtifactStore, InstalledArtifact, StoreOptions } from '../../../src/artifacts/types.ts';
import type { AgentPorts } from '../../../src/nodee/agent.ts';
import type { LogOptions, Runs } from '../../../src/processes/run.ts';
import { type ProcessSpec, processSpec, specHash } from '../../../src/processes/spec.ts';
import type { ProcessTable, TableOptions } from '../../../src/processes/table.ts';
import type { Announcement, ProcessReport } from '../../../src/processes/types.ts';

export const SHA256 = '0'.repeat(64);

export function sha256Of(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

export function specOf(coordinate: string, changes: object = {}): ProcessSpec {
  return processSpec.parse({
    artifact: { id: 'no.kvitt:web:1', sha256: SHA256 },
    command: ['x'],
    coordinate,
    ...changes,
  });
}

export class MemoryStore implements ArtifactStore {
  readonly archives = new Map<string, { readonly ref: ArtifactRef; readonly data: Buffer }>();
  readonly held = new Set<string>();
  /** Archives that are being read by somebody. */
  readonly reading = new Set<Readable>();
  /** Set: uploads wait for it. */
  gate: Promise<void> | null = null;

  constructor(readonly options: Pick<StoreOptions, 'others'> | null = null) {}

  async hold(ref: ArtifactRef) {
    this.held.add(ref.id);
    return { folder: '/nowhere', letGo: () => this.held.delete(ref.id) };
  }

  async put(ref: ArtifactRef, archive: Readable): Promise<void> {
    await this.gate;
    const chunks: Buffer[] = [];
    for await (const chunk of archive as AsyncIterable<Buffer>) chunks.push(chunk);
    const data = Buffer.concat(chunks);
    if (sha256Of(data) !== ref.sha256) throw new ArtifactError('untrusted', 'its digest is another one');
    this.archives.set(ref.id, { ref, data });
  }

  async read(id: string, from: number) {
    const { ref, data } = this.#found(id);
    if (from > data.length) throw new RangeError('beyond the end');
    const archive = Readable.from(chunksOf(data.subarray(from)), { objectMode: false });
    this.reading.add(archive);
    archive.once('close', () => this.reading.delete(archive));
    return { archive, bytes: data.length, sha256: ref.sha256 };
  }

  async list(): Promise<InstalledArtifact[]> {
    return [...this.archives.values()].map(({ ref: { id, sha256, signature = null }, data }) => {
      return { id, sha256, signature, bytes: data.length, installedAt: new Date(0), isHeld: this.held.has(id) };
    });
  }

  async uninstall(id: string): Promise<void> {
    this.#found(id);
    if (this.held.has(id)) throw new ArtifactError('in_use', `${id} is in use`);
    this.archives.delete(id);
  }

  async collect(): Promise<string[]> {
    const removed = [...this.archives.keys()].filter((id) => !this.held.has(id));
    for (const id of removed) this.archives.delete(id);
    return removed;
  }

  async tidy(): Promise<void> {}

  #found(id: string) {
    const found = this.archives.get(id);
    if (found === undefined) throw new ArtifactError('missing', `${id} is not installed`);
    return found;
  }
}

function* chunksOf(data: Buffer): Generator<Buffer> {
  for (let at = 0; at < data.length; at += 1 << 16) yield data.subarray(at, at + (1 << 16));
}

/** Takes all that is wanted for running, and announces it. */
export class MemoryTable implements ProcessTable {
  readonly wanted: (readonly ProcessSpec[])[] = [];
  readonly restarted: string[] = [];
  readonly logsOpened: Readable[] = [];
  readonly announced = new Map<string, Announcement>();
  isClosed = false;
  /** What a log says; followed logs say it again and again. */
  logText = '2026-01-01T00:00:00.000Z out hello\n';
  message = 'is healthy';
  #lines: string[] | null = null;
  #listeners: (() => void)[] = [];

  constructor(readonly options: TableOptions | null = null) {}

  want(specs: readonly ProcessSpec[]): void {
    this.wanted.push(specs);
    for (const { coordinate, claim } of specs) if (claim === 'agent') this.#announce(coordinate);
    for (const [coordinate, announcement] of this.announced) {
      if (specs.some((spec) => spec.coordinate === coordinate)) continue;
      this.announced.delete(coordinate);
      void announcement.release();
    }
    this.changed();
  }

  changed(): void {
    for (const listener of this.#listeners) listener();
  }

  reports(): ProcessReport[] {
    return (this.wanted.at(-1) ?? []).map((spec) => ({
      ...{ coordinate: spec.coordinate, state: 'running', message: this.message, artifact: spec.artifact.id },
      ...{ spec: specHash(spec), refused: null, pid: 1, ports: { http: 8080 }, restarts: 0 },
      ...{ since: new Date(0).toISOString(), memory_bytes: 1, cpu: 0, limits: {} },
    }));
  }

  async restart(coordinate: string): Promise<void> {
    this.restarted.push(coordinate);
  }

  /** Followed logs say these lines, and then what is written. */
  follow(...lines: string[]): void {
    this.#lines = lines;
  }

  write(line: string): void {
    this.#lines?.push(line);
    for (const logs of this.logsOpened) logs.push(line);
  }

  async logs(_coordinate: string, { follow = false }: LogOptions): Promise<Readable> {
    if (this.#lines !== null && follow) {
      const logs = new Readable({ read() {} });
      for (const line of this.#lines) logs.push(line);
      this.logsOpened.push(logs);
      return logs;
    }
    const text = this.logText;
    const logs = new Readable({
      read() {
        this.push(text);
        if (!follow) this.push(null);
      },
    });
    this.logsOpened.push(logs);
    return logs;
  }

  artifactsInUse(): ReadonlySet<string> {
    return new Set((this.wanted.at(-1) ?? []).map(({ artifact }) => artifact.id));
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }

  #announce(coordinate: string): void {
    if (this.options === null || this.announced.has(coordinate)) return;
    const announcement = this.options.announce(coordinate);
    this.announced.set(coordinate, announcement);
    announcement.publish('RUNNING', 'is healthy', { http: 8080, admin: 8081 });
  }
}

/** The ports of one agent, and what it opened by them. */
export class MemoryPorts implements AgentPorts {
  readonly stores: MemoryStore[] = [];
  readonly tables: MemoryTable[] = [];

  async openStore(options: StoreOptions): Promise<ArtifactStore> {
    this.stores.push(new MemoryStore(options));
    return this.stores.at(-1)!;
  }

  async openRuns(): Promise<Runs> {
    return {} as Runs;
  }

  readonly openTable = async (options: TableOptions): Promise<ProcessTable> => {
    this.tables.push(new MemoryTable(options));
    return this.table;
  };

  get table(): MemoryTable {
    return this.tables.at(-1)!;
  }

  get store(): MemoryStore {
    return this.stores.at(-1)!;
  }
}
