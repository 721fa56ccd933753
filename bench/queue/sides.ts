/** Ways to empty a queue. Each begins when it is called and ends when its `stop` does. */
import {
  DeleteMessageBatchCommand,
  type DeleteMessageBatchRequestEntry,
  type Message,
  ReceiveMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { Consumer } from 'sqs-consumer';
import { SqsCalls } from '../../src/queue/calls.ts';
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
  return loopOf(`receive and delete only, ${loops} loops over the AWS SDK`, loops, count, (QueueUrl) => ({
    receive: async () => {
      const request = { QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 1 };
      return (await client.send(new ReceiveMessageCommand(request))).Messages ?? [];
    },
    delete: (Entries) => client.send(new DeleteMessageBatchCommand({ QueueUrl, Entries })),
    end: async () => undefined,
  }));
}

/** The same by the calls that Kvitt makes itself. */
export function receiveAndDeleteByOwnCalls(client: SQSClient, loops: number, count: number): Drainer {
  return loopOf(`receive and delete only, ${loops} loops over Kvitt's own calls`, loops, count, (QueueUrl) => {
    const calls = new SqsCalls(client, QueueUrl, loops);
    return {
      receive: () => calls.receive({ QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 1 }),
      delete: (Entries) => calls.deleteBatch({ QueueUrl, Entries }),
      end: () => calls.destroy(),
    };
  });
}

interface LoopCalls {
  receive(): Promise<Message[]>;
  delete(entries: DeleteMessageBatchRequestEntry[]): Promise<unknown>;
  end(): Promise<void>;
}

function loopOf(name: string, loops: number, count: number, open: (queueUrl: string) => LoopCalls): Drainer {
  return {
    name,
    count,
    start: async (queueUrl) => {
      const calls = open(queueUrl);
      let isOn = true;
      const loop = async () => {
        while (isOn) {
          const messages = await calls.receive();
          if (messages.length === 0) continue;
          await calls.delete(messages.map(({ ReceiptHandle }, i) => ({ Id: String(i), ReceiptHandle })));
        }
      };
      const running = Promise.all(Array.from({ length: loops }, loop));
      return {
        stop: async () => {
          isOn = false;
          await running;
          await calls.end();
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
