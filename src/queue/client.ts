import { GetQueueUrlCommand, SQSClient } from '@aws-sdk/client-sqs';

export const CONNECT_TIMEOUT_MS = 5_000;
/** Above the longest poll (20 s): a receive that is cut off loses its messages until their visibility runs out. */
export const REQUEST_TIMEOUT_MS = 30_000;

export interface SqsClientSettings {
  readonly region: string;
  /** Where the server is, when it is not AWS itself. The host in its queue URLs is then never used. */
  readonly endpoint?: string | undefined;
  /** Unset: the SDK's own chain (environment, profile, role). A server that is not AWS takes any. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined;
}

/** The caller owns it: `destroy()` it after the consumer has stopped. */
export function createSqsClient(settings: SqsClientSettings): SQSClient {
  return new SQSClient({
    region: settings.region,
    ...(settings.endpoint === undefined ? {} : { endpoint: settings.endpoint }),
    ...(settings.credentials === undefined ? {} : { credentials: settings.credentials }),
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      throwOnRequestTimeout: true,
    },
  });
}

/** The URL of a queue that is given by its URL or, in the client's account and region, by its name. */
export async function queueUrlOf(client: SQSClient, nameOrUrl: string): Promise<string> {
  if (nameOrUrl.includes('/')) return nameOrUrl;
  const { QueueUrl } = await client.send(new GetQueueUrlCommand({ QueueName: nameOrUrl })).catch((error: Error) => {
    const advice = 'check its name, SQS_ENDPOINT, AWS_REGION, the credentials and their permission sqs:GetQueueUrl';
    throw new Error(`the SQS queue ${nameOrUrl} cannot be found: ${error.message}; ${advice}`, { cause: error });
  });
  return QueueUrl!;
}
