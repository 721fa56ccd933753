/** The consumer's own calls: what they send is what the SDK would, and they keep their word when a server does not. */
import { createHash, createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DeleteMessageBatchCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SqsCallError, SqsCalls } from '../../src/queue/calls.ts';
import { clientOf } from './support/sqs.ts';

const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
const HOUR_MS = 3_600_000;
const ENTRIES = [{ Id: '0', ReceiptHandle: 'x' }];

interface Seen {
  readonly headers: IncomingMessage['headers'];
  readonly url: string;
  readonly body: string;
}

const seen: Seen[] = [];
/** What is done with each request, in turn, the last one for all further ones. */
let answers: ((response: ServerResponse) => void)[] = [];
const server = createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request) body += chunk;
  const answer = answers[Math.min(seen.length, answers.length - 1)]!;
  seen.push({ headers: request.headers, url: request.url ?? '', body });
  answer(response);
});
let endpoint: string;
let calls: SqsCalls;

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
beforeEach(() => {
  seen.length = 0;
  answers = [json(200, {})];
  calls = new SqsCalls(clientOf(endpoint), `${endpoint}/0/q`, 4);
});
afterAll(async () => {
  await calls.destroy();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function json(status: number, body: object, headers: Record<string, string> = {}) {
  return (response: ServerResponse) => void response.writeHead(status, headers).end(JSON.stringify(body));
}

function refusal(status: number, type: string) {
  return json(status, { __type: `com.amazonaws.sqs#${type}`, message: 'not now' });
}

/** Signature version 4 as AWS describes it, from what arrived: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html */
function isSignedRightly({ headers, url, body }: Seen): boolean {
  const parts = /Credential=[^/]+\/(\d{8})\/([^/]+)\/sqs\/aws4_request, SignedHeaders=([^,]+), Signature=(\w+)$/;
  const [, day, region, signed, signature] = parts.exec(headers.authorization ?? '') ?? [];
  const names = signed!.split(';');
  const required = ['host', 'x-amz-date', 'x-amz-security-token', 'x-amz-target'].filter((name) => headers[name]);
  if (!required.every((name) => names.includes(name))) return false;
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
  const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();
  const lines = names.map((name) => `${name}:${String(headers[name]).trim().replace(/ +/g, ' ')}\n`).join('');
  const canonical = ['POST', url, '', lines, signed, sha256(body)].join('\n');
  const scope = `${day}/${region}/sqs/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, sha256(canonical)].join('\n');
  const key = [region!, 'sqs', 'aws4_request'].reduce(hmac, hmac(`AWS4${SECRET}`, day!));
  return hmac(key, toSign).toString('hex') === signature;
}

describe('a call', () => {
  it.each([{}, { sessionToken: 'IQoJb3JpZ2luX2Vj//a+b=' }])('is signed as one of the SDK, with %j', async (session) => {
    const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: SECRET, ...session };
    const client = new SQSClient({ region: 'eu-north-1', endpoint, credentials });
    const QueueUrl = `${endpoint}/0/q`;
    await client.send(new DeleteMessageBatchCommand({ QueueUrl, Entries: ENTRIES }));
    const own = new SqsCalls(client, QueueUrl, 4);
    await own.deleteBatch({ QueueUrl, Entries: ENTRIES });
    await own.destroy();
    client.destroy();

    const [theirs, ours] = seen as [Seen, Seen];
    // The first proves the test.
    expect([isSignedRightly(theirs), isSignedRightly(ours)]).toEqual([true, true]);
    expect(isSignedRightly({ ...ours, body: `${ours.body} ` })).toBe(false);
    expect(JSON.parse(ours.body)).toEqual(JSON.parse(theirs.body));
    const same = ['content-type', 'x-amz-target', 'host', 'x-amz-security-token'] as const;
    for (const name of same) expect(ours.headers[name]).toBe(theirs.headers[name]);
    expect(ours.url).toBe(theirs.url);
  });

  it.each([HOUR_MS, -HOUR_MS])(
    'is signed with the time at the server, also when that refuses it: %i ms off',
    async (off) => {
      const date = new Date(Date.now() + off).toUTCString();
      const skewed = { __type: 'InvalidSignatureException', message: 'Signature expired' };
      answers = [json(403, skewed, { date }), json(200, {}, { date })];
      await expect(calls.receive({ QueueUrl: 'q' })).rejects.toMatchObject({ name: 'InvalidSignatureException' });
      await calls.receive({ QueueUrl: 'q' });
      const stamp = String(seen[1]!.headers['x-amz-date']);
      const [, y, mo, d, h, mi, s] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(stamp)!.map(Number);
      const signedAt = Date.UTC(y!, mo! - 1, d!, h!, mi!, s!);
      expect(Math.abs(signedAt - (Date.now() + off))).toBeLessThan(60_000);
      expect(Math.abs(calls.now() - (Date.now() + off))).toBeLessThan(60_000);
    },
  );

  it.each([
    ['a server that is in trouble', refusal(503, 'ServiceUnavailable')],
    ['a throttled call', refusal(400, 'RequestThrottled')],
    ['a throttled call of the other name', refusal(400, 'ThrottlingException')],
    ['a connection that is cut off', (response: ServerResponse) => void response.destroy()],
    [
      'an answer that is cut off',
      (response: ServerResponse) => {
        response.writeHead(200, { 'content-length': '100' });
        response.write('{', () => response.destroy());
      },
    ],
    ['an answer that is no JSON', (response: ServerResponse) => void response.writeHead(200).end('<html>')],
  ])('is made again after %s', async (_, trouble) => {
    answers = [trouble, json(200, { Messages: [{ MessageId: '1', Body: 'b' }] })];
    expect(await calls.receive({ QueueUrl: 'q' })).toEqual([{ MessageId: '1', Body: 'b' }]);
    expect(seen).toHaveLength(2);
  });

  it('is given up after three attempts, and says why', async () => {
    answers = [refusal(503, 'ServiceUnavailable')];
    const error: unknown = await calls.receive({ QueueUrl: 'q' }).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(SqsCallError);
    expect((error as Error).message).toBe('SQS answered 503 to ReceiveMessage: ServiceUnavailable: not now');
    expect(seen).toHaveLength(3);
  });

  it('is not made again when that is of no use', async () => {
    answers = [refusal(400, 'QueueDoesNotExist')];
    await expect(calls.receive({ QueueUrl: 'q' })).rejects.toMatchObject({ name: 'QueueDoesNotExist', status: 400 });
    expect(seen).toHaveLength(1);
  });

  it('refuses a message that is not what was sent', async () => {
    const MD5OfBody = createHash('md5').update('as it was').digest('hex');
    answers = [json(200, { Messages: [{ MessageId: '1', Body: 'as it wAs', MD5OfBody }] })];
    await expect(calls.receive({ QueueUrl: 'q' })).rejects.toThrow('is not what was sent');
  });
});
