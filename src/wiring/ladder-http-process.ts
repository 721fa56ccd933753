/** An HTTP server as the API's is set up, with one route that does nothing but answer with a payment. */
import type { AddressInfo } from 'node:net';
import Fastify from 'fastify';
import { uuidv7 } from 'uuidv7';
import type { FromServer } from '../ladder/messages.ts';
import { accountId } from '../ladder/payment-request.ts';
import { presentPayment } from '../resources/present.ts';
import { answeredPayment } from './ladder-answers.ts';

const request = { source: accountId(0), destination: accountId(1), amount: 100n, currency: 'EUR' } as const;
const answer = JSON.stringify(presentPayment(answeredPayment(request)));

const app = Fastify({ logger: false, genReqId: () => `req_${uuidv7()}` });
app.post('/v1/payments', (_request, reply) => reply.code(201).type('application/json; charset=utf-8').send(answer));
await app.listen({ host: '127.0.0.1', port: 0 });
process.once('disconnect', () => process.exit(0));
process.send!({ port: (app.server.address() as AddressInfo).port } satisfies FromServer);
