/** Servers in this process that answer as they are told. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** Ends with the test that it was started in; those that run at the same time say which they are by `onFinished`. */
export async function startServer(
  listener: RequestListener,
  onFinished: typeof onTestFinished = onTestFinished,
): Promise<{ address: string; server: Server }> {
  const server = createServer({ keepAliveTimeout: 60_000 }, listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

export function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/** Counts what is at a server at once. */
export class Crowd {
  now = 0;
  most = 0;
  all = 0;

  enter(response: ServerResponse): void {
    this.all++;
    this.most = Math.max(this.most, ++this.now);
    response.once('close', () => this.now--);
  }
}

/** Answers payments as the service does, without keeping books. */
export function paying(
  before: (request: IncomingMessage) => Promise<unknown> = async () => undefined,
): RequestListener {
  let payments = 0;
  return (request, response) => {
    request.resume();
    void before(request).then(() => {
      const id = `0192f0c1-7a5e-7000-8000-${(++payments).toString(16).padStart(12, '0')}`;
      answer(response, 201, { id, last_transaction_id: id });
    });
  };
}
