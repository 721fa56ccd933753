/** The embedded SQS server in a process of its own, so that it has a core of its own: `node … server.ts`. Prints its endpoint. */
import { startEmbeddedSqs } from '../../src/queue/embedded.ts';

const { endpoint } = await startEmbeddedSqs({ queues: [] });
process.stdout.write(`${endpoint}\n`);
