/** Ways to empty a queue. Each begins when it is called and ends when its `stop` does. */
import { DeleteMessageBatchCommand, ReceiveMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { Consumer } from 'sqs-consumer';
import type { Side } from '../side.ts';

export interface Running {
  stop(): Promise<void>;
}

export interface Drainer {
  readonly name: string;
  /** How many messages it is given. */
  readonly count: number;
  start(queueUrl: string): Promise<Running>;
}

/** Does nothing with what it receives: as fast as this server and this SDK go. */
export function receiveAndDelete(client: SQSClient, loops: number, count: number): Drainer {
  return {
    name: `receive and delete only, ${loops} loops`,
    count,
    start: async (QueueUrl) => {
      let isOn = true;
      const loop = async () => {
        while (isOn) {
          const receive = { QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 1 };
          const { Messages = [] } = await client.send(new ReceiveMessageCommand(receive));
          if (Messages.length === 0) continue;
          const Entries = Messages.map(({ ReceiptHandle }, i) => ({ Id: String(i), ReceiptHandle }));
          await client.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }));
        }
      };
      const running = Promise.all(Array.from({ length: loops }, loop));
      return {
        stop: async () => {
          isOn = false;
          await running;
        },
      };
    },
  };
}

/** sqs-consumer as its manual shows it, in batches of ten, each message in a native transaction. */
export function sqsConsumer(client: SQSClient, native: Side, consumers: number, count: number): Drainer {
  return {
    name: `sqs-consumer${consumers > 1 ? ` × ${consumers}` : ''}, a native transaction a message`,
    count,
    start: async (queueUrl) => {
      const all = Array.from({ length: consumers }, () => {
        const consumer = Consumer.create({
          queueUrl,
          sqs: client,
          batchSize: 10,
          waitTimeSeconds: 1,
          handleMessageBatch: async (messages) => {
            await Promise.all(
              messages.map(({ Body }) => {
                const { data } = JSON.parse(Body!);
                return native.transfer([{ ...data, amount: BigInt(data.amount) }]);
              }),
            );
            return messages;
          },
        });
        consumer.start();
        return consumer;
      });
      const stop = (consumer: Consumer) =>
        new Promise<void>((resolve) => {
          consumer.once('stopped', () => resolve());
          consumer.stop();
        });
      return {
        stop: async () => {
          await Promise.all(all.map(stop));
        },
      };
    },
  };
}
