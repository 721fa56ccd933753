/** A control group of our own for CPU, of either version of cgroups. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const PERIOD_US = 100_000;
const FIRST = '/sys/fs/cgroup/cpu';
const UNIFIED = '/sys/fs/cgroup';
const UNIFIED_CONTROLLERS = join(UNIFIED, 'cgroup.subtree_control');
const isFirst = existsSync(join(FIRST, 'cpu.cfs_quota_us'));

export class CpuGroup {
  private constructor(private readonly folder: string) {}

  /** Does this machine let us make one? It takes root, and the controller for CPU. */
  static isPossible(): boolean {
    try {
      const group = CpuGroup.create();
      group.remove();
      return existsSync(join(FIRST, 'cpu.shares')) || readFileSync(UNIFIED_CONTROLLERS, 'utf8').includes('cpu');
    } catch {
      return false;
    }
  }

  static create(): CpuGroup {
    const folder = join(isFirst ? FIRST : UNIFIED, `kvitt-test-${randomBytes(4).toString('hex')}`);
    mkdirSync(folder);
    return new CpuGroup(folder);
  }

  /** All that runs in it may use so many cores. */
  bound(cores: number): void {
    const quotaUs = Math.round(cores * PERIOD_US);
    if (isFirst) writeFileSync(join(this.folder, 'cpu.cfs_quota_us'), String(quotaUs));
    else writeFileSync(join(this.folder, 'cpu.max'), `${quotaUs} ${PERIOD_US}`);
  }

  /** It gets so many times as much of a busy machine as another one. */
  prefer(times: number): void {
    if (isFirst) writeFileSync(join(this.folder, 'cpu.shares'), String(1024 * times));
    else writeFileSync(join(this.folder, 'cpu.weight'), String(100 * times));
  }

  /** The command that runs another one in the group. */
  get within(): string[] {
    return ['sh', '-c', `echo $$ > ${this.folder}/cgroup.procs && exec "$@"`, 'sh'];
  }

  /** Moves this process, and so all that it starts from now on. Answers how to move it back. */
  enter(): () => void {
    const groups = readFileSync('/proc/self/cgroup', 'utf8');
    const before = (isFirst ? /^\d+:cpu:(.*)$/m : /^0::(.*)$/m).exec(groups)![1]!;
    this.#move(this.folder);
    return () => this.#move(join(isFirst ? FIRST : UNIFIED, before));
  }

  /** When nothing runs in it any more. */
  remove(): void {
    rmdirSync(this.folder);
  }

  #move(folder: string): void {
    writeFileSync(join(folder, 'cgroup.procs'), String(process.pid));
  }
}
