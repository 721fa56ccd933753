/** All that the service needs, and the service, on this machine and only for a while. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateApiKey } from '../http/auth.ts';
import { createLog } from '../log.ts';
import { type EmbeddedReplicaSet, startEmbeddedReplicaSet } from '../mongo/embedded.ts';
import { freePort } from '../mongo/free-ports.ts';
import { DEAD_LETTER_QUEUE, type EmbeddedSqs, EVENTS_QUEUE, startEmbeddedSqs } from '../queue/embedded.ts';
import { type Environment, ServiceProcess } from './service-process.ts';

export interface Local {
  readonly set: EmbeddedReplicaSet;
  readonly sqs: EmbeddedSqs;
  /** Settings of the service. */
  readonly environment: Environment;
  readonly apiKey: string;
  readonly service: ServiceProcess;
  /** For what belongs to it; removed with it. */
  readonly folder: string;
  readonly queueUrl: string;
  readonly deadLetterQueueUrl: string;
  close(): Promise<void>;
}

/** The service itself is not started yet. `settings` go before those that are needed here. */
export async function prepareLocal(settings: Environment = {}): Promise<Local> {
  const folder = await mkdtemp(join(tmpdir(), 'kvitt-local-'));
  const log = createLog('warn');
  const [set, sqs] = await Promise.all([
    startEmbeddedReplicaSet({ dataDir: join(folder, 'mongodb'), log }),
    startEmbeddedSqs(),
  ]);
  const queueUrl = sqs.queueUrls.get(EVENTS_QUEUE)!;
  const deadLetterQueueUrl = sqs.queueUrls.get(DEAD_LETTER_QUEUE)!;
  const port = await freePort();
  const apiKey = generateApiKey();
  const environment: Environment = {
    ...settings,
    MONGODB_URI: set.uri,
    HTTP_PORT: String(port),
    BOOTSTRAP_API_KEY: apiKey,
    SQS_QUEUE_URL: queueUrl,
    SQS_DEAD_LETTER_QUEUE_URL: deadLetterQueueUrl,
    SQS_ENDPOINT: sqs.endpoint,
    AWS_REGION: sqs.region,
    AWS_ACCESS_KEY_ID: sqs.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: sqs.credentials.secretAccessKey,
  };
  const service = new ServiceProcess(`http://127.0.0.1:${port}`, environment, join(folder, 'service.log'));
  const close = async () => {
    await service.end('SIGTERM');
    await sqs.stop();
    await set.stop();
    await rm(folder, { recursive: true, force: true });
  };
  return { set, sqs, environment, apiKey, service, folder, queueUrl, deadLetterQueueUrl, close };
}
