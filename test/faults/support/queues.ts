/** The queues of a fault test, seen past all proxies. */
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import type { Letter } from './check-queue.ts';

const NUMBERS = ['', 'NotVisible', 'Delayed'] as const;
/** Nobody else receives dead letters: they are read once, and stay. */
const READ_SECONDS = 3_600;

export interface QueueSize {
  /** Can be received now. */
  readonly visible: number;
  /** In hand, or to be received later. */
  readonly hidden: number;
}

export async function createQueue(client: SQSClient, QueueName: string): Promise<string> {
  return (await client.send(new CreateQueueCommand({ QueueName }))).QueueUrl!;
}

export async function sizeOf(client: SQSClient, QueueUrl: string): Promise<QueueSize> {
  const AttributeNames = NUMBERS.map((which) => `ApproximateNumberOfMessages${which}` as const);
  const { Attributes } = await client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames }));
  const [visible, inHand, delayed] = AttributeNames.map((name) => Number(Attributes?.[name] ?? 0));
  return { visible: visible!, hidden: inHand! + delayed! };
}

export async function lettersIn(client: SQSClient, QueueUrl: string): Promise<Letter[]> {
  const letters: Letter[] = [];
  for (;;) {
    const { Messages = [] } = await client.send(
      new ReceiveMessageCommand({
        QueueUrl,
        MaxNumberOfMessages: 10,
        VisibilityTimeout: READ_SECONDS,
        MessageAttributeNames: ['All'],
      }),
    );
    if (Messages.length === 0) return letters;
    for (const { Body = '', MessageAttributes = {} } of Messages) {
      const text = (name: string) => MessageAttributes[name]?.StringValue ?? null;
      letters.push({ body: Body, of: text('original_message_id'), reason: text('reason') });
    }
  }
}
