/** A plain payment API over native transactions, as a peer for the HTTP comparison: started as a process of its own. */
import fastify from 'fastify';
import { createClient } from '../src/mongo/client.ts';
import { nativeTransactions } from './sides/native.ts';
import type { Transfer } from './workload.ts';

const [uri, database, port] = process.argv.slice(2) as [string, string, string];
const client = await createClient(uri, { maxPoolSize: 100 }).connect();
const side = await nativeTransactions(client, database);
const app = fastify({ forceCloseConnections: true });
app.get('/readyz', async () => ({ status: 'ready' }));
app.post('/payments', async (request, reply) => {
  const { source, destination, amount } = request.body as Transfer;
  await side.transfer([{ source, destination, amount: BigInt(amount) }]);
  return reply.code(201).send({ status: 'posted', source, destination, amount: String(amount) });
});
await app.listen({ host: '127.0.0.1', port: Number(port) });
process.once('SIGTERM', () => {
  void app.close().then(() => client.close());
});
