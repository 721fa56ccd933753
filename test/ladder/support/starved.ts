/** A control group that bounds the CPU of what is started in it, of either version of cgroups. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const PERIOD_US = 100_000;
const FIRST = '/sys/fs/cgroup/cpu';
const UNIFIED = '/sys/fs/cgroup';

export interface CpuBound {
  /** The command that runs another one in the group. */
  readonly within: readonly string[];
  /** When nothing runs in it any more. */
  remove(): void;
}

/** Null: this machine lets us make none. */
export function boundCpu(cores: number): CpuBound | null {
  const isFirst = existsSync(join(FIRST, 'cpu.cfs_quota_us'));
  const folder = join(isFirst ? FIRST : UNIFIED, `kvitt-test-${randomBytes(4).toString('hex')}`);
  const quotaUs = Math.round(cores * PERIOD_US);
  try {
    mkdirSync(folder);
  } catch {
    return null;
  }
  const remove = () => rmdirSync(folder);
  try {
    if (isFirst) writeFileSync(join(folder, 'cpu.cfs_quota_us'), String(quotaUs));
    else writeFileSync(join(folder, 'cpu.max'), `${quotaUs} ${PERIOD_US}`);
  } catch {
    remove();
    return null;
  }
  return { within: ['sh', '-c', `echo $$ > ${folder}/cgroup.procs && exec "$@"`, 'sh'], remove };
}
