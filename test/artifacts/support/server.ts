import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export interface TestServer {
  readonly url: string;
  readonly requests: IncomingMessage[];
}

/** Closed after the test. Answers each request by the next of the answers, and by the last one from then on. */
export async function serve(...answers: RequestListener[]): Promise<TestServer> {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    const answer = answers[Math.min(requests.length, answers.length - 1)]!;
    requests.push(request);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

/** As a good server does it, with ranges. */
export function sends(content: Buffer, etag?: string): RequestListener {
  return (request, response) => {
    const start = startOf(request);
    const isSame = request.headers['if-range'] === undefined || request.headers['if-range'] === etag;
    if (etag !== undefined) response.setHeader('etag', etag);
    if (start === 0 || !isSame) response.end(content);
    else if (start >= content.byteLength) response.writeHead(416).end();
    else {
      response.writeHead(206, { 'content-range': `bytes ${start}-${content.byteLength - 1}/${content.byteLength}` });
      response.end(content.subarray(start));
    }
  };
}

/** Sends it from where it was asked, and breaks the connection after so many bytes. */
export function breaksOff(content: Buffer, bytes: number, etag?: string): RequestListener {
  return (request, response) => {
    const start = startOf(request);
    const headers = { 'content-length': content.byteLength - start, ...(etag === undefined ? {} : { etag }) };
    if (start === 0) response.writeHead(200, headers);
    else response.writeHead(206, { ...headers, 'content-range': `bytes ${start}-${content.byteLength - 1}/*` });
    response.write(content.subarray(start, start + bytes), () => setTimeout(() => response.destroy(), 20));
  };
}

export function status(code: number, headers: Readonly<Record<string, string>> = {}): RequestListener {
  return (_request, response) => void response.writeHead(code, headers).end('said why, at length');
}

export function startOf(request: IncomingMessage): number {
  return Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
}

export function hangs(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, { 'content-length': 1_000_000 });
  response.write('x');
}
