/** The process that answers bytes of a request's size with bytes of an answer's size. */
import { type AddressInfo, createServer } from 'node:net';
import type { FromServer } from './messages.ts';
import { ANSWER_BYTES, paymentRequest } from './payment-request.ts';

const REQUEST_BYTES = paymentRequest('0'.repeat(12), 0).length;
const answer = Buffer.alloc(ANSWER_BYTES, 'x');

const server = createServer({ noDelay: true }, (socket) => {
  let received = 0;
  socket.on('data', (chunk) => {
    received += chunk.length;
    for (; received >= REQUEST_BYTES; received -= REQUEST_BYTES) socket.write(answer);
  });
  socket.on('error', () => undefined);
});
process.once('disconnect', () => process.exit(0));
server.listen(0, '127.0.0.1', () => {
  process.send!({ port: (server.address() as AddressInfo).port } satisfies FromServer);
});
