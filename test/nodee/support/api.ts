/** The API of an agent, over doubles. */

import { AgentServer } from '../../../src/nodee/server.ts';
import type { HostReport } from '../../../src/nodee/types.ts';
import type { Log } from '../../../src/processes/types.ts';
import { MemoryStore, MemoryTable, specOf } from './doubles.ts';

export const silentLog: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

export const REPORT: HostReport = {
  ...{ host: 'alpha', version: '1', generation: null, at: '2026-01-01T00:00:00Z', uptime_seconds: 1, cores: 2 },
  ...{ load: 0.5, memory_total_bytes: 2, memory_available_bytes: 1, disk_free_bytes: 1, processes: [], problems: [] },
};

export const ARCHIVE_BYTES_MAX = 4 << 20;
export const API_TOKEN = 'the-token-of-the-agents-in-this-test';
export const WEB = '1.web.pay.oslo';

export interface Api {
  readonly server: AgentServer;
  readonly store: MemoryStore;
  readonly table: MemoryTable;
  /** False: the processes are not looked after. */
  isOwner: boolean;
  /** With the token. */
  ask(path: string, init?: RequestInit): Promise<Response>;
}

export async function startApi(host = '127.0.0.1', log: Log = silentLog): Promise<Api> {
  const store = new MemoryStore();
  const table = new MemoryTable();
  table.want([specOf(WEB)]);
  const server = await AgentServer.listen({
    ...{ listen: { host, port: 0 }, token: API_TOKEN, coordinate: '0.nodee.ops.oslo', store, log },
    ...{ archiveBytesMax: ARCHIVE_BYTES_MAX, artifactsKept: 3, report: async () => REPORT },
    table: () => (api.isOwner ? table : null),
  });
  const api: Api = {
    ...{ server, store, table, isOwner: true },
    ask: (path, init = {}) => {
      const headers = { authorization: `Bearer ${API_TOKEN}`, ...(init.headers as Record<string, string>) };
      return fetch(`${server.address}${path}`, { ...init, headers });
    },
  };
  return api;
}
