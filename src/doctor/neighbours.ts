/** The servers beside MongoDB that the settings name. */
import { GetQueueAttributesCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { Cloudname, type CloudnameOptions } from '../cloudname/cloudname.ts';
import { createSqsClient, queueUrlOf, type SqsClientSettings } from '../queue/client.ts';
import { type Check, fail, ok, why } from './check.ts';

const ANSWER_MS_MAX = 10_000;

/** Of those queues that are set. */
export async function sqsChecks(
  settings: SqsClientSettings,
  queues: Readonly<Record<string, string | undefined>>,
): Promise<Check[]> {
  const client = createSqsClient(settings);
  try {
    return await Promise.all(
      Object.entries(queues).flatMap(([name, QueueUrl]) =>
        QueueUrl === undefined ? [] : [queueCheck(client, name, QueueUrl)],
      ),
    );
  } finally {
    client.destroy();
  }
}

async function queueCheck(client: SQSClient, name: string, queue: string): Promise<Check> {
  try {
    const QueueUrl = await queueUrlOf(client, queue);
    const command = new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] });
    await client.send(command, { abortSignal: AbortSignal.timeout(ANSWER_MS_MAX) });
    return ok(name, QueueUrl);
  } catch (error) {
    const next = 'check the URL of the queue, SQS_ENDPOINT, AWS_REGION, the credentials and their permissions';
    return fail(name, `${queue} does not answer: ${why(error)}`, next);
  }
}

export async function zooKeeperCheck(options: CloudnameOptions): Promise<Check> {
  const name = 'zookeeper';
  try {
    const cloudname = await Cloudname.connect({ ...options, requestMs: ANSWER_MS_MAX });
    await cloudname.close();
    return ok(name, options.connect);
  } catch (error) {
    const next = 'check ZOOKEEPER_CONNECT and ZOOKEEPER_AUTH, and that a majority of the ensemble is up';
    return fail(name, `${options.connect} does not answer: ${why(error)}`, next);
  }
}
