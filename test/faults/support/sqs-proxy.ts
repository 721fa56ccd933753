/** Stands between one consumer and its SQS server, breaks some of what they say, and stops where it is told to. */
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../../simulation/virtual-world.ts';

export const FAULTS = ['reset before', 'answer lost', 'unavailable', 'throttled', 'partial failure', 'late'] as const;
type Fault = (typeof FAULTS)[number];

const LATE_MS_MAX = 1_500;
const THROTTLING = ['RequestThrottled', 'ThrottlingException'];
const JSON_TYPE = { 'content-type': 'application/x-amz-json-1.0' };

/**
 * - `before`: it came in and goes no further.
 * - `after`: the server has done it, and its answer goes no further. Of a receive: one that brings messages.
 * - `answered`: the consumer has the answer.
 */
export type Step = 'before' | 'after' | 'answered';

export interface Trap {
  /** Resolves when a call is there. */
  readonly sprung: Promise<void>;
  /** Lets that call go on as if nothing had been. One that is never released is never answered. */
  release(): void;
}

interface Armed {
  readonly action: RegExp;
  readonly step: Step;
  readonly spring: () => Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
}

interface Entries {
  readonly Entries: readonly { readonly Id: string }[];
}

interface Answered {
  readonly Messages?: readonly { readonly Body?: string }[];
  readonly Successful?: readonly object[];
  readonly Failed?: readonly object[];
}

export class SqsProxy {
  /** How likely a call is to suffer something, 0 to 1. */
  rate = 0;
  /** How many calls suffered what. */
  readonly suffered = new Map<Fault, number>();
  /** Bodies of all messages that the consumer was given. */
  readonly handedOut = new Set<string>();
  readonly #server: Server;
  #traps: Armed[] = [];

  private constructor(
    readonly target: string,
    readonly random: Random,
  ) {
    // A connection that breaks is what this is for.
    this.#server = createServer((incoming, answer) => void this.#serve(incoming, answer).catch(() => answer.destroy()));
  }

  /** `random` draws the faults. */
  static async start(target: string, random: Random): Promise<SqsProxy> {
    const proxy = new SqsProxy(target, random);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get endpoint(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
    return `http://127.0.0.1:${address.port}`;
  }

  get faults(): number {
    return [...this.suffered.values()].reduce((sum, count) => sum + count, 0);
  }

  /** The next such call stops at this step; the others go on. `action` is matched with names as `DeleteMessageBatch`. */
  trap(action: RegExp, step: Step): Trap {
    let release = () => {};
    let reached = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const sprung = new Promise<void>((resolve) => {
      reached = resolve;
    });
    const spring = () => {
      reached();
      return released;
    };
    const armed = { action, step, spring };
    this.#traps.push(armed);
    return {
      sprung,
      release: () => {
        this.#traps = this.#traps.filter((one) => one !== armed);
        release();
      },
    };
  }

  /** Forgets the traps that have not sprung. */
  disarm(): void {
    this.#traps = [];
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #serve(incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
    const action = String(incoming.headers['x-amz-target'] ?? '').replace('AmazonSQS.', '');
    const asked = await textOf(incoming);
    const fault = this.#draw(action);
    if (fault === 'late') await sleep(this.random() * LATE_MS_MAX);
    await this.#stopAt(action, 'before');
    // Whoever sent it is gone, and so it never was.
    if (incoming.socket.destroyed) return;
    if (fault === 'reset before') return void incoming.socket.destroy();
    if (fault === 'unavailable') return void answer.writeHead(503).end();
    if (fault === 'throttled') return void answer.writeHead(400, JSON_TYPE).end(this.#throttling());
    const done = await (fault === 'partial failure' ? this.#doInPart(incoming, asked) : this.#do(incoming, asked));
    const messages = action === 'ReceiveMessage' ? (parsed(done.body).Messages ?? []) : null;
    const counts = messages === null || messages.length > 0;
    if (counts) await this.#stopAt(action, 'after');
    if (fault === 'answer lost') return void incoming.socket.destroy();
    for (const { Body } of messages ?? []) this.handedOut.add(Body!);
    await new Promise<void>((resolve) => {
      answer.once('close', resolve).writeHead(done.status, done.headers).end(done.body);
    });
    if (counts) await this.#stopAt(action, 'answered');
  }

  #draw(action: string): Fault | null {
    if (this.random() >= this.rate) return null;
    const possible = FAULTS.filter((fault) => fault !== 'partial failure' || action.endsWith('Batch'));
    const fault = possible[Math.floor(this.random() * possible.length)]!;
    this.suffered.set(fault, (this.suffered.get(fault) ?? 0) + 1);
    return fault;
  }

  async #stopAt(action: string, step: Step): Promise<void> {
    const armed = this.#traps.find((one) => one.step === step && one.action.test(action));
    if (armed === undefined) return;
    this.#traps = this.#traps.filter((one) => one !== armed);
    await armed.spring();
  }

  #throttling(): string {
    const type = THROTTLING[Math.floor(this.random() * THROTTLING.length)];
    return JSON.stringify({ __type: `com.amazonaws.sqs#${type}`, message: 'too fast, says the test' });
  }

  /** Some entries of the batch never reach the server, and are answered as failed. */
  async #doInPart(incoming: IncomingMessage, asked: string): Promise<Answer> {
    const batch = JSON.parse(asked) as Entries;
    const isKept = batch.Entries.map(() => this.random() < 0.5);
    // At least one fails.
    isKept[Math.floor(this.random() * isKept.length)] = false;
    const kept = batch.Entries.filter((_, i) => isKept[i]);
    const failed = batch.Entries.filter((_, i) => !isKept[i]).map(({ Id }) => ({
      Id,
      SenderFault: false,
      Code: 'InternalError',
      Message: 'not this one, says the test',
    }));
    if (kept.length === 0) {
      return { status: 200, headers: JSON_TYPE, body: JSON.stringify({ Successful: [], Failed: failed }) };
    }
    const done = await this.#do(incoming, JSON.stringify({ ...batch, Entries: kept }));
    if (done.status !== 200) return done;
    const { Successful = [], Failed = [] } = parsed(done.body);
    return { ...done, body: JSON.stringify({ Successful, Failed: [...Failed, ...failed] }) };
  }

  #do({ method, url, headers }: IncomingMessage, asked: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const length = { 'content-length': String(Buffer.byteLength(asked)) };
      const outgoing = request(this.target + url, { method, headers: { ...headers, ...length } });
      outgoing.on('error', reject).on('response', (response) => {
        // Its length changes with what it says.
        const { 'content-length': _, 'transfer-encoding': __, connection: ___, ...kept } = response.headers;
        textOf(response).then((body) => resolve({ status: response.statusCode!, headers: kept, body }), reject);
      });
      outgoing.end(asked);
    });
  }
}

async function textOf(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function parsed(body: string): Answered {
  return body === '' ? {} : (JSON.parse(body) as Answered);
}
