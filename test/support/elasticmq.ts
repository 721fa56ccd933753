/**
 * Starts ElasticMQ, an SQS server that is more faithful than the embedded one: it refuses stale receipts and repeated
 * deletes. Needs `java` and, once, `mvn`; its jars are kept in the user's cache folder.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../src/mongo/free-ports.ts';
import { endJava, fetchJars, startJava, untilAnswering } from './java.ts';

const VERSION = '1.7.1';

export interface ElasticMq {
  readonly endpoint: string;
  stop(): Promise<void>;
}

export async function startElasticMq(): Promise<ElasticMq> {
  const jars = await fetchJars(`elasticmq-${VERSION}`, [`org.elasticmq:elasticmq-server_3:${VERSION}`]);
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), 'elasticmq-'));
  const config = join(folder, 'elasticmq.conf');
  await writeFile(
    config,
    `include classpath("application.conf")
node-address { protocol = http, host = "127.0.0.1", port = ${port}, context-path = "" }
rest-sqs { enabled = true, bind-hostname = "127.0.0.1", bind-port = ${port} }
rest-stats { enabled = false }
`,
  );
  const server = startJava([
    '-Xmx256m',
    `-Dconfig.file=${config}`,
    ...['-cp', join(jars, '*')],
    'org.elasticmq.server.Main',
  ]);
  const endpoint = `http://127.0.0.1:${port}`;
  const stop = async () => {
    await endJava(server, 'SIGKILL');
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await untilAnswering('ElasticMQ', server, () => answers(endpoint));
  } catch (error) {
    await stop();
    throw error;
  }
  return { endpoint, stop };
}

async function answers(endpoint: string): Promise<boolean> {
  return fetch(`${endpoint}/?Action=ListQueues`).then(
    (response) => response.ok,
    () => false,
  );
}
