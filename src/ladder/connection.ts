import { connect, type Socket } from 'node:net';
import type { CallEnd } from './loops.ts';
import type { PortTarget } from './messages.ts';
import { ANSWER_BYTES } from './payment-request.ts';

/** A connection that was ended is made again after this, so that one who is turned away does not do it all the time. */
const AGAIN_MS = 20;

/**
 * One keep-alive connection that carries one call at a time. It shares the cores with what it calls, so it does as little
 * as it can: a request is one string, and of an answer the status and the length are read.
 */
export class Connection {
  #socket: Socket;
  #received = '';
  #answered: ((end: CallEnd) => void) | null = null;
  #isClosed = false;

  constructor(private readonly target: PortTarget) {
    this.#socket = this.#connect();
  }

  call(request: string): Promise<CallEnd> {
    return new Promise((resolve) => {
      this.#answered = resolve;
      this.#socket.write(request, 'latin1');
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#socket.destroy();
  }

  #connect(): Socket {
    const socket = connect({ port: this.target.port, host: '127.0.0.1', noDelay: true });
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => this.#receive(chunk));
    socket.on('error', () => undefined);
    socket.once('close', () => this.#ended());
    return socket;
  }

  #ended(): void {
    if (this.#isClosed) return;
    setTimeout(() => {
      if (this.#isClosed) return;
      const status = statusOf(this.#received);
      this.#received = '';
      this.#socket = this.#connect();
      this.#answer(Number.isNaN(status) ? 'broken' : endOf(status));
    }, AGAIN_MS);
  }

  #receive(chunk: string): void {
    this.#received = this.#received === '' ? chunk : this.#received + chunk;
    const end = this.target.kind === 'echo' ? echoEnd(this.#received) : httpEnd(this.#received);
    if (end === null) return;
    this.#received = '';
    this.#answer(end);
  }

  #answer(end: CallEnd): void {
    const answered = this.#answered;
    this.#answered = null;
    answered?.(end);
  }
}

function echoEnd(received: string): CallEnd | null {
  return received.length < ANSWER_BYTES ? null : 'ok';
}

/** Null: there is more to come. What has no length lasts until the connection ends. */
function httpEnd(received: string): CallEnd | null {
  const headEnd = received.indexOf('\r\n\r\n');
  if (headEnd < 0) return null;
  const length = Number(/\r\ncontent-length: (\d+)/i.exec(received.slice(0, headEnd))?.[1] ?? Number.NaN);
  return received.length >= headEnd + 4 + length ? endOf(statusOf(received)) : null;
}

function statusOf(received: string): number {
  return Number.parseInt(received.slice(9, 12), 10);
}

function endOf(status: number): CallEnd {
  if (status >= 200 && status < 300) return 'ok';
  return status === 429 || status === 503 ? 'refused' : 'failed';
}
