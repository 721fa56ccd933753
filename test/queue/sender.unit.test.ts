import type { SendMessageBatchCommand, SQSClient } from '@aws-sdk/client-sqs';
import { describe, expect, it } from 'vitest';
import { bytesOf, countForCall, type Outgoing, Sender } from '../../src/queue/sender.ts';

const KIB = 1024;
const message = (body: string, attributes: Outgoing['attributes'] = {}): Outgoing => ({ body, attributes });

/** A server that answers as it is told, by the bodies of a call. */
function over(answer: (bodies: string[]) => { refused?: Record<string, { Code: string; SenderFault: boolean }> }) {
  const calls: string[][] = [];
  const send = async ({ input: { Entries = [] } }: SendMessageBatchCommand) => {
    const bodies = Entries.map(({ MessageBody }) => MessageBody!);
    calls.push(bodies);
    const { refused = {} } = answer(bodies);
    return {
      Successful: Entries.filter((one) => !refused[one.MessageBody!]).map(({ Id, MessageBody }) => ({
        Id,
        MessageId: `id of ${MessageBody}`,
      })),
      Failed: Entries.filter((one) => refused[one.MessageBody!]).map(({ Id, MessageBody }) => ({
        Id,
        ...refused[MessageBody!],
      })),
    };
  };
  const client = { send } as unknown as SQSClient;
  return { calls, sender: new Sender(client, 'http://sqs/1/queue') };
}

const fail = (name: string): never => {
  throw Object.assign(new Error(`${name}!`), { name });
};

describe('one call', () => {
  it('takes ten messages, and 256 KiB of them, or one that is larger', () => {
    expect(countForCall(Array(25).fill(10))).toBe(10);
    expect(countForCall([100 * KIB, 100 * KIB, 56 * KIB, 1])).toBe(3);
    expect(countForCall([100 * KIB, 100 * KIB, 56 * KIB + 1])).toBe(2);
    expect(countForCall([900 * KIB, 1])).toBe(1);
    expect(countForCall([1, 900 * KIB])).toBe(1);
    expect(countForCall([])).toBe(0);
  });

  it('counts a message with its attributes: their names, types and values', () => {
    expect(bytesOf(message('æ', { a: 'xyz', count: 12 }))).toBe(2 + (1 + 6 + 3) + (5 + 6 + 2));
  });
});

describe('the sender', () => {
  it('says of each what became of it, in their order', async () => {
    const { sender, calls } = over(() => ({
      refused: {
        2: { Code: 'InternalError', SenderFault: false },
        11: { Code: 'InvalidParameterValue', SenderFault: true },
        12: { Code: 'AccessDenied', SenderFault: true },
      },
    }));
    const sent = await sender.send(Array.from({ length: 13 }, (_, n) => message(String(n))));
    expect(calls.map(({ length }) => length)).toEqual([10, 3]);
    const refused = sent.flatMap((one, i) => (one.taken ? [] : [[i, one.isUnfit, one.error.message]]));
    expect(refused).toEqual([
      [2, false, 'the queue did not take a message: InternalError'],
      [11, true, 'the queue did not take a message: InvalidParameterValue'],
      [12, false, 'the queue did not take a message: AccessDenied'],
    ]);
    expect(sent[10]).toEqual({ taken: true, messageId: 'id of 10' });
  });

  it('sends nothing when there is nothing', async () => {
    const { sender, calls } = over(() => ({}));
    expect([await sender.send([]), calls]).toEqual([[], []]);
  });

  it('sends each alone when a call fails for what one of them is', async () => {
    const { sender, calls } = over((bodies) => (bodies.includes('huge') ? fail('BatchRequestTooLong') : {}));
    const sent = await sender.send(['a', 'huge', 'b'].map((body) => message(body)));
    expect(sent.map(({ taken }) => taken)).toEqual([true, false, true]);
    expect(sent[1]).toMatchObject({ isUnfit: true, error: { message: 'BatchRequestTooLong!' } });
    expect(calls).toEqual([['a', 'huge', 'b'], ['a'], ['huge'], ['b']]);
  });

  it('has sent none of a call that fails for another reason, and goes on with the next', async () => {
    let calls = 0;
    const { sender } = over(() => (++calls === 1 ? fail('TimeoutError') : {}));
    const sent = await sender.send(Array.from({ length: 12 }, (_, n) => message(String(n))));
    expect(sent.map(({ taken }) => taken)).toEqual([...Array(10).fill(false), true, true]);
    expect(sent[0]).toMatchObject({ isUnfit: false, error: { message: 'TimeoutError!' } });
  });
});
