/** Requests that never became requests: Node could not parse them, or they took too long to arrive. */

import type { Socket } from 'node:net';
import { uuidv7 } from 'uuidv7';
import { PROBLEMS, type ProblemCode, ProblemError, problemBody } from './problem.ts';
import { SECURITY_HEADERS } from './security-headers.ts';

const CODES: ReadonlyMap<string | undefined, [ProblemCode, string]> = new Map([
  ['HPE_HEADER_OVERFLOW', ['headers_too_large', 'The headers are larger than this service accepts.']],
  ['ERR_HTTP_REQUEST_TIMEOUT', ['request_timeout', 'The request did not arrive in time. Send it again.']],
]);

/** Node's `clientError`: answers on the bare socket and closes it. */
export function answerBrokenRequests(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const [code, detail] = CODES.get(error.code) ?? ['invalid_request', 'This is not a valid HTTP/1.1 request.'];
  const requestId = `req_${uuidv7()}`;
  const body = problemBody(new ProblemError(code, detail), undefined, requestId);
  const head = [
    `HTTP/1.1 ${PROBLEMS[code].status} ${PROBLEMS[code].title}`,
    'content-type: application/problem+json',
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${requestId}`,
    ...Object.entries(SECURITY_HEADERS).map(([name, value]) => `${name}: ${value}`),
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
