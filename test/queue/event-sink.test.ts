/** Events sent to a real FIFO queue over a client that fails. */
import { randomUUID } from 'node:crypto';
import {
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { presentEvent } from '../../src/events/present.ts';
import type { EventView } from '../../src/events/types.ts';
import type { TransactionView } from '../../src/payments/types.ts';
import { SqsEventSink } from '../../src/queue/event-sink.ts';
import { seeded } from '../simulation/virtual-world.ts';
import { startTestSqs, type TestSqs } from './support/sqs.ts';

const CALL_BYTES_MAX = 256 * 1024;
const noPause = () => Promise.resolve();
const always = () => true;
let sqs: TestSqs;
let queueUrl: string;

beforeAll(async () => {
  sqs = await startTestSqs();
});
beforeEach(async () => {
  const Attributes = { FifoQueue: 'true', ContentBasedDeduplication: 'false', VisibilityTimeout: '120' };
  const { QueueUrl } = await sqs.client.send(new CreateQueueCommand({ QueueName: `${randomUUID()}.fifo`, Attributes }));
  queueUrl = QueueUrl!;
});
afterAll(() => sqs.stop());

function anEvent(n: number, group: string, description: string | null = null): EventView {
  const id = `txn_${n}`;
  const createdAt = new Date(1_767_225_600_000 + n);
  const transaction: TransactionView = {
    id,
    kind: 'transaction',
    status: 'posted',
    rejectionReason: null,
    about: null,
    postings: [],
    reference: null,
    description,
    metadata: {},
    createdAt,
    book: 0,
    height: n,
  };
  return {
    id: `evt_${n}`,
    type: 'transaction.posted',
    createdAt,
    transactionId: id,
    askedBy: { requestId: null, idempotencyKey: null },
    group,
    accounts: [],
    book: 0,
    height: n,
    index: 0,
    subject: { kind: 'transaction', transaction },
  };
}

interface Entries {
  readonly sent: { id: string; bytes: number; group: string }[][];
  readonly client: SQSClient;
}

/** Hands on to the real one what the fates of a call let through. */
function failing(fates: { refused?: number; throttled?: number; timesOut?: number }, seed = 1): Entries {
  const random = seeded(seed);
  const sent: Entries['sent'] = [];
  const fail = (name: string) => Object.assign(new Error(name), { name });
  const send = async ({ input: { QueueUrl, Entries = [] } }: SendMessageBatchCommand) => {
    sent.push(
      Entries.map(({ MessageDeduplicationId: id, MessageGroupId: group, MessageBody, MessageAttributes }) => {
        const attribute = MessageAttributes!.type!;
        const bytes = Buffer.byteLength(`${MessageBody}type${attribute.DataType}${attribute.StringValue}`);
        return { id: id!, group: group!, bytes };
      }),
    );
    if (random() < (fates.throttled ?? 0)) throw fail('ThrottlingException');
    const through = Entries.filter(() => random() >= (fates.refused ?? 0));
    const refused = Entries.filter((entry) => !through.includes(entry));
    const answer =
      through.length === 0
        ? { Successful: [] }
        : await sqs.client.send(new SendMessageBatchCommand({ QueueUrl, Entries: through }));
    if (random() < (fates.timesOut ?? 0)) throw fail('TimeoutError');
    return { ...answer, Failed: refused.map(({ Id }) => ({ Id, Code: 'InternalError', SenderFault: false })) };
  };
  return { sent, client: { send } as unknown as SQSClient };
}

/** All that the queue holds, in the order in which it gives it out. */
async function receiveAll(): Promise<Message[]> {
  const received: Message[] = [];
  for (;;) {
    const { Messages = [] } = await sqs.client.send(
      new ReceiveMessageCommand({ QueueUrl: queueUrl, MaxNumberOfMessages: 10, AttributeNames: ['All'] }),
    );
    if (Messages.length === 0) return received;
    received.push(...Messages);
    const Entries = Messages.map(({ ReceiptHandle }, i) => ({ Id: String(i), ReceiptHandle: ReceiptHandle! }));
    await sqs.client.send(new DeleteMessageBatchCommand({ QueueUrl: queueUrl, Entries }));
  }
}

function byGroup(all: readonly { id: string; group: string }[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const { id, group } of all) groups.set(group, [...(groups.get(group) ?? []), id]);
  return groups;
}

describe('events are in the queue once each, in the order of their groups', () => {
  it.each([
    ['calls of which a part is refused', { refused: 0.3 }],
    ['calls that are throttled', { throttled: 0.3 }],
    ['answers that never come', { timesOut: 0.3 }],
    ['all of these', { refused: 0.2, throttled: 0.1, timesOut: 0.1 }],
  ])('over %s', async (_, fates) => {
    const random = seeded(7);
    const events = Array.from({ length: 200 }, (_, n) => anEvent(n, `account:${Math.floor(12 * random() ** 3)}`));
    const { client, sent } = failing(fates);
    // As a publisher does: all of it again, until it is taken.
    for (let isTaken = false; !isTaken; ) {
      const sink = new SqsEventSink({ client, queueUrl }, noPause);
      isTaken = await sink.send(events, always).then(
        () => true,
        () => false,
      );
    }
    for (const call of sent) expect(new Set(call.map(({ group }) => group)).size).toBe(call.length);
    const received = (await receiveAll()).map(({ Body }) => JSON.parse(Body!) as { id: string; group: string });
    expect(received).toHaveLength(events.length);
    expect(byGroup(received)).toEqual(byGroup(events));
  });

  it('when the queue refuses a part of every call, without being sent all over again', async () => {
    const events = Array.from({ length: 400 }, (_, n) => anEvent(n, `account:${n}`));
    const { client, sent } = failing({ refused: 0.4 });
    await new SqsEventSink({ client, queueUrl }, noPause).send(events, always);
    expect(sent.flat().length).toBeLessThan(3 * events.length);
    expect(await receiveAll()).toHaveLength(events.length);
  });
});

describe('events are given up for now', () => {
  const events = Array.from({ length: 50 }, (_, n) => anEvent(n, `account:${n % 20}`));

  it('when the queue takes none, after a few attempts', async () => {
    const { client, sent } = failing({ throttled: 1 });
    await expect(new SqsEventSink({ client, queueUrl }, noPause).send(events, always)).rejects.toThrow(/Throttling/);
    expect(sent.length).toBeLessThanOrEqual(20);
  });

  it('when the right to send them is lost, and nothing is sent from then on', async () => {
    const { client, sent } = failing({});
    let left = 3;
    const sink = new SqsEventSink({ client, queueUrl }, noPause);
    await expect(sink.send(events, () => left-- > 0)).rejects.toThrow(/another process/);
    expect(sent.length).toBeLessThanOrEqual(3);
  });
});

describe('a body', () => {
  it.each([
    ['that SQS takes no other way', '\uFFFE\uFFFF a\uFFFEb'],
    ['of control characters', '\u0000\u0001\b\t\n\v\f\r\u001f\u007f\u0085'],
    ['of halves of characters', '\uD800 \uDFFF x\uDBFF'],
    ['beyond the first plane, with what is no character', '😀 \u{1FFFE}\u{10FFFF} 𝒳'],
    ['of line separators, marks and markup', '\u2028\u2029\u202E\uFEFF<&>"\'\\ ]]>'],
  ])('arrives as it was: %s', async (_, text) => {
    const event = anEvent(1, 'account:1', text);
    await new SqsEventSink({ client: sqs.client, queueUrl }).send([event], always);
    const [message] = await receiveAll();
    expect(JSON.parse(message!.Body!)).toEqual(JSON.parse(JSON.stringify(presentEvent(event))));
  });

  it('that is large shares a call with no more than fit, to the byte', async () => {
    const random = seeded(11);
    const sizes = [...[65_000, 65_000, 65_000, 65_000], ...[250_000, 12_000, 250_000], ...Array(20).fill(26_000)];
    sizes.push(...Array.from({ length: 30 }, () => Math.floor(120_000 * random() ** 2)));
    // Each character takes three bytes.
    const events = sizes.map((size, n) => anEvent(n, `account:${n}`, '€'.repeat(size / 3)));
    const { client, sent } = failing({});
    await new SqsEventSink({ client, queueUrl }, noPause).send(events, always);
    const bytes = sent.map((call) => call.reduce((sum, one) => sum + one.bytes, 0));
    expect(Math.max(...bytes)).toBeLessThanOrEqual(CALL_BYTES_MAX);
    expect(Math.max(...bytes)).toBeGreaterThan(0.9 * CALL_BYTES_MAX);
    expect(await receiveAll()).toHaveLength(events.length);
  });
});
