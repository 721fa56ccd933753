/** The whole API with a ledger that answers at once: all that a payment costs outside of it counts, and nothing inside. */

import type { AddressInfo } from 'node:net';
import { readConfig } from '../config.ts';
import { buildApp } from '../http/app.ts';
import { CachingAuthenticator, hashApiKey } from '../http/auth.ts';
import { type HttpDeps, SCOPES } from '../http/ports.ts';
import type { FromServer } from '../ladder/messages.ts';
import { LADDER_KEY } from '../ladder/payment-request.ts';
import { createLog } from '../log.ts';
import { Metrics } from '../metrics.ts';
import { paymentCommand } from '../payments/commands.ts';
import type { Payments } from '../payments/types.ts';
import { paymentView } from '../payments/views.ts';
import { httpSettings } from './http.ts';
import { outcomeOf } from './ladder-answers.ts';

const hash = hashApiKey(LADDER_KEY);
const keyRecord = { hash, client: 'ladder', scopes: SCOPES, expiresAt: null, revokedAt: null };
const payments: Pick<Payments, 'createPayment'> = {
  createPayment: async (request, caller) => {
    return { value: paymentView(outcomeOf(paymentCommand(request, caller))), replayed: false };
  },
};
const deps: Partial<HttpDeps> = {
  payments: payments as Payments,
  deadLetters: null,
  auth: new CachingAuthenticator({ find: async (wanted) => (wanted === hash ? keyRecord : null) }),
  audit: { record: async () => undefined },
  health: { readiness: async () => ({ ready: true, checks: {} }) },
  metrics: new Metrics(),
  log: createLog('warn'),
  settings: httpSettings(readConfig({})),
};
// Only payments are made here: what the other routes need is not there.
const app = await buildApp(deps as HttpDeps);
await app.listen({ host: '127.0.0.1', port: 0 });
process.once('disconnect', () => process.exit(0));
process.send!({ port: (app.server.address() as AddressInfo).port } satisfies FromServer);
