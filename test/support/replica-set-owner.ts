/** Starts a replica set in the folder named by the first argument, says where it is, and stays until it is ended. */
import { startEmbeddedReplicaSet } from '../../src/mongo/embedded.ts';
import { quietLog } from './log.ts';

const set = await startEmbeddedReplicaSet({ dataDir: process.argv[2] ?? null, log: quietLog });
process.on('SIGTERM', () => process.exit(0));
process.stdout.write(JSON.stringify({ uri: set.uri, pids: set.members.map(({ pid }) => pid) }));
setInterval(() => {}, 60_000);
