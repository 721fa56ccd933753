import { connect, type Socket } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly hasRetryAfter: boolean;
  readonly body: string;
}

/**
 * One keep-alive connection that carries one call at a time. It shares the cores with the service that it loads, so it
 * does as little as it can: a request is one string, an answer is searched for what is counted.
 */
export class Connection {
  readonly #socket: Socket;
  #received = '';
  #answered: ((answer: Answer | null) => void) | null = null;

  /** `onEnd`: it is of no use any more, or never was. */
  constructor(port: number, { onOpen, onEnd }: { readonly onOpen: () => void; readonly onEnd: () => void }) {
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.setEncoding('latin1');
    this.#socket.once('connect', onOpen);
    this.#socket.on('data', (chunk: string) => this.#receive(chunk));
    this.#socket.on('error', () => undefined);
    this.#socket.once('close', () => {
      onEnd();
      this.#answer(null);
    });
  }

  /** `null`: the connection ended first. */
  call(request: string, answered: (answer: Answer | null) => void): void {
    this.#answered = answered;
    this.#socket.write(request, 'latin1');
  }

  #receive(chunk: string): void {
    this.#received = this.#received === '' ? chunk : this.#received + chunk;
    const received = this.#received;
    const headEnd = received.indexOf('\r\n\r\n');
    if (headEnd < 0) return;
    const head = received.slice(0, headEnd).toLowerCase();
    const length = Number(/\r\ncontent-length: (\d+)/.exec(head)?.[1] ?? Number.NaN);
    if (received.length < headEnd + 4 + length) return;
    this.#received = '';
    this.#answer({
      status: Number(received.slice(9, 12)),
      hasRetryAfter: head.includes('\r\nretry-after: '),
      body: received.slice(headEnd + 4),
    });
  }

  #answer(answer: Answer | null): void {
    const answered = this.#answered;
    this.#answered = null;
    answered?.(answer);
  }
}
