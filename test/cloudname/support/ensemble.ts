import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Network } from '../../faults/support/network.ts';
import { fourLetterWord, startZooKeeper, type ZooKeeperServer } from '../../support/zookeeper.ts';

/** On a host of its own, where nobody else has these. */
const PEER_PORTS = '2888:3888';

export interface Member {
  readonly host: string;
  readonly server: ZooKeeperServer;
}

export interface SpreadEnsemble {
  readonly members: readonly Member[];
  /** The one that leads comes first. */
  byRank(): Promise<Member[]>;
  stop(): Promise<void>;
}

/** An ensemble with a member on each host. */
export async function startEnsembleOn(
  network: Network,
  hosts: readonly string[],
  { tickMs, properties }: { tickMs: number; properties: Readonly<Record<string, string>> },
): Promise<SpreadEnsemble> {
  const folder = await mkdtemp(join(tmpdir(), 'zookeeper-members-'));
  const peers = hosts.map((host, index) => [`server.${index + 1}`, `${network.address(host)}:${PEER_PORTS}`]);
  const started = await Promise.all(
    hosts.map(async (host, index) => {
      const dataDir = join(folder, host);
      await mkdir(dataDir);
      await writeFile(join(dataDir, 'myid'), String(index + 1));
      const { host: address, within } = network.place(host);
      const place = { host: address, networkNamespace: within.at(-1)! };
      const all = { ...Object.fromEntries(peers), ...properties, dataDir };
      return { host, ...(await startZooKeeper({ ...place, tickMs, properties: all })) };
    }),
  );
  const isLeader = async (server: ZooKeeperServer) => (await fourLetterWord(server, 'srvr')).includes('Mode: leader');
  return {
    members: started,
    byRank: async () => {
      const ranks = await Promise.all(
        started.map(async (member) => ({ member, leads: await isLeader(member.server) })),
      );
      return ranks.sort((a, b) => Number(b.leads) - Number(a.leads)).map(({ member }) => member);
    },
    stop: async () => {
      await Promise.all(started.map(({ stop }) => stop()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}
