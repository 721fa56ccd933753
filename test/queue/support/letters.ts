import { SendMessageBatchCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { Received } from '../../../src/queue/message.ts';

/** A message in hand, as its consumer has it. */
export function received(body: string, changed: Partial<Received> = {}): Received {
  return {
    messageId: '5fea7756-0ea4-451a-a703-a558b933e274',
    receipt: 'receipt',
    body,
    receiveCount: 3,
    sentAt: 1_767_225_600_000,
    group: null,
    encoding: null,
    history: null,
    isPointer: false,
    traceParent: { traceparent: undefined, tracestate: undefined },
    ...changed,
  };
}

/** Takes no message of more than so many bytes, as SQS counts them; the rest is up to the server behind it. */
export function takingAtMost(bytes: number, client: SQSClient): { client: SQSClient; sizes: number[] } {
  const sizes: number[] = [];
  const send = async (command: object) => {
    if (!(command instanceof SendMessageBatchCommand)) return client.send(command as never);
    const { QueueUrl, Entries = [] } = command.input;
    const sizeOf = ({ MessageBody = '', MessageAttributes = {} }: (typeof Entries)[number]) =>
      Object.entries(MessageAttributes).reduce(
        (sum, [name, { DataType, StringValue }]) => sum + Buffer.byteLength(`${name}${DataType}${StringValue}`),
        Buffer.byteLength(MessageBody),
      );
    sizes.push(...Entries.map(sizeOf));
    const through = Entries.filter((entry) => sizeOf(entry) <= bytes);
    const Failed = Entries.filter((entry) => sizeOf(entry) > bytes).map(({ Id }) => ({
      Id,
      SenderFault: true,
      Code: 'InvalidParameterValue',
      Message: `One or more parameters are invalid. Reason: Message must be shorter than ${bytes} bytes.`,
    }));
    if (through.length === 0) return { Successful: [], Failed };
    return { ...(await client.send(new SendMessageBatchCommand({ QueueUrl, Entries: through }))), Failed };
  };
  return { client: { send, config: client.config } as unknown as SQSClient, sizes };
}
