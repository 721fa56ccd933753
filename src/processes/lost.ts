/** Runs whose keeper is gone, or never came to be: nothing of them runs on, and they have an end. */
import { removeGroups } from './cgroup.ts';
import {
  claimDurably,
  type EndFile,
  FILES,
  type KeeperFile,
  PROTOCOL,
  readJson,
  readProgram,
  writeDurably,
} from './keeper-files.ts';
import { killAll } from './kill.ts';
import { bootId, isAlive } from './proc.ts';

/** Sees to it that no keeper that comes late starts anything. False: one has come already. */
export function forbidKeeper(folder: string): boolean {
  const nobody: KeeperFile = { protocol: PROTOCOL, keeper: null, startedAt: new Date().toISOString(), groups: [] };
  return claimDurably(folder, FILES.keeper, nobody);
}

export function keeperLives(kept: KeeperFile | null): boolean {
  return kept?.keeper != null && isAlive(kept.keeper);
}

/** Ends what a dead keeper left behind, and writes down that it did, unless the keeper had come to that itself. */
export async function endLost(folder: string): Promise<EndFile> {
  const kept = readJson<KeeperFile>(folder, FILES.keeper);
  await killLeftovers(folder);
  const known = readJson<EndFile>(folder, FILES.end);
  if (known !== null) return known;
  const at = new Date().toISOString();
  const lost: EndFile = {
    pid: (kept?.keeper && readProgram(folder, kept.keeper.boot)?.pid) ?? 0,
    startedAt: kept?.startedAt ?? at,
    limits: {},
    end: { code: null, signal: null, at, why: 'keeper lost' },
  };
  try {
    writeDurably(folder, FILES.end, lost);
  } catch {
    // The disk is full, or the folder is gone: whoever comes next finds it lost again, and nothing to be ended.
  }
  return lost;
}

/** The folder alone says what is ours: with another boot, or with numbers that others have now, there is nothing left. */
export async function killLeftovers(folder: string): Promise<void> {
  const kept = readJson<KeeperFile>(folder, FILES.keeper);
  if (kept?.keeper == null || kept.keeper.boot !== bootId()) return;
  await killAll(readProgram(folder, kept.keeper.boot), kept.groups);
  await removeGroups(kept.groups);
}
