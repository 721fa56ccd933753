import { createServer, request as forward, type Server } from 'node:http';

/** Stands between a client and an SQS server, and refuses chosen actions, e.g. `DeleteMessageBatch`. */
export interface FaultyProxy {
  readonly endpoint: string;
  /** Actions that are answered with an error that the SDK does not retry, and never reach the server. */
  readonly refuses: Set<string>;
  /** The same, the next time only. */
  readonly refusesOnce: Set<string>;
  /** How often each action came in. */
  readonly seen: Map<string, number>;
  stop(): Promise<void>;
}

const REFUSAL = JSON.stringify({ __type: 'com.amazonaws.sqs#AccessDenied', message: 'refused by the test' });

export async function startFaultyProxy(target: string): Promise<FaultyProxy> {
  const refuses = new Set<string>();
  const refusesOnce = new Set<string>();
  const seen = new Map<string, number>();
  const server = createServer((incoming, answer) => {
    const action = String(incoming.headers['x-amz-target'] ?? '').replace('AmazonSQS.', '');
    seen.set(action, (seen.get(action) ?? 0) + 1);
    if (refuses.has(action) || refusesOnce.delete(action)) {
      incoming.resume();
      answer.writeHead(403, { 'content-type': 'application/x-amz-json-1.0' }).end(REFUSAL);
      return;
    }
    const outgoing = forward(target, { method: incoming.method, path: incoming.url, headers: incoming.headers });
    outgoing.on('response', (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(answer);
    });
    outgoing.on('error', () => answer.destroy());
    incoming.pipe(outgoing);
  });
  const port = await listen(server);
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { endpoint: `http://127.0.0.1:${port}`, refuses, refusesOnce, seen, stop };
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
  return address.port;
}
