/** Stands between a load test and the service, and does not pass on all as it came. */
import type { onTestFinished } from 'vitest';
import { startServer } from './local-server.ts';

export interface Passed {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** What becomes of the payment that the proxy lies about. */
export type Lie = (passed: Passed, pass: (passed: Passed) => Promise<Answer>) => Promise<Answer>;

const HEADERS = ['authorization', 'content-type', 'idempotency-key'];
/** Which payment it is: not the first. */
const LIES_ABOUT = 5;

export async function startLyingProxy(service: string, lie: Lie, onFinished: typeof onTestFinished): Promise<string> {
  let payments = 0;
  const pass = async ({ method, path, headers, body }: Passed): Promise<Answer> => {
    const answered = await fetch(service + path, { method, headers, ...(body === '' ? {} : { body }) });
    return { status: answered.status, body: await answered.text() };
  };
  const { address } = await startServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      body += chunk;
    });
    request.once('end', async () => {
      const { method = 'GET', url: path = '/' } = request;
      const headers = Object.fromEntries(
        HEADERS.flatMap((name) => (request.headers[name] ? [[name, String(request.headers[name])]] : [])),
      );
      const isAboutIt = method === 'POST' && path === '/v1/payments' && ++payments === LIES_ABOUT;
      const passed = { method, path, headers, body };
      const { status, body: content } = await (isAboutIt ? lie(passed, pass) : pass(passed));
      response.writeHead(status, { 'content-type': 'application/json' }).end(content);
    });
  }, onFinished);
  return address;
}
