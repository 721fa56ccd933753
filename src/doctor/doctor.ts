import { statfs } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { CloudnameOptions } from '../cloudname/cloudname.ts';
import type { Config } from '../config.ts';
import { createClient } from '../mongo/client.ts';
import { runningEmbeddedUri } from '../mongo/embedded.ts';
import { type Check, warn } from './check.ts';
import { diskCheck, filesCheck, nodeCheck, readLimits } from './host.ts';
import { checkMongoDb } from './mongodb.ts';
import { sqsChecks, zooKeeperCheck } from './neighbours.ts';

/** Looks at everything that the settings name. Rejects for no reason that a check can tell. */
export async function examine(config: Config, zooKeeper: CloudnameOptions | null): Promise<Check[]> {
  const queues = {
    'sqs queue': config.SQS_QUEUE_URL,
    'sqs dead-letter queue': config.SQS_DEAD_LETTER_QUEUE_URL,
    'sqs out queue': config.SQS_OUT_QUEUE_URL,
  };
  const sqs = { region: config.AWS_REGION, endpoint: config.SQS_ENDPOINT };
  const groups = await Promise.all([
    mongoDb(config),
    sqsChecks(sqs, queues),
    zooKeeper === null ? [] : zooKeeperCheck(zooKeeper),
    dataDisk(config.DATA_DIR),
  ]);
  const files = filesCheck(await readLimits(), config.QUEUE_COMMANDS_MAX);
  return [...groups.flat(), files, nodeCheck(process.versions.node)];
}

async function mongoDb(config: Config): Promise<Check[]> {
  const uri = config.MONGODB_URI ?? (await runningEmbeddedUri(join(config.DATA_DIR, 'mongodb')));
  if (uri === null) {
    const next = 'for anything but trying out, set MONGODB_URI to a replica set on three machines';
    return [warn('mongodb', 'MONGODB_URI is not set, and no embedded replica set runs', next)];
  }
  const client = createClient(uri);
  try {
    return await checkMongoDb(client, config.MONGODB_DATABASE);
  } finally {
    await client.close();
  }
}

async function dataDisk(folder: string): Promise<Check> {
  let path = resolve(folder);
  for (;;) {
    try {
      const { bavail, blocks, bsize } = await statfs(path);
      return diskCheck('disk of DATA_DIR', bavail * bsize, blocks * bsize);
    } catch {
      // It is made at the first start: until then its disk is that of the folder above.
      if (path === dirname(path)) return warn('disk of DATA_DIR', 'not told', 'see that DATA_DIR can be read');
      path = dirname(path);
    }
  }
}
