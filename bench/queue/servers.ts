import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { startElasticMq } from '../../test/support/elasticmq.ts';

export interface Server {
  readonly name: string;
  readonly endpoint: string;
  stop(): Promise<void>;
}

export const SERVERS: Readonly<Record<string, () => Promise<Server>>> = {
  embedded: startEmbedded,
  elasticmq: async () => ({ name: 'ElasticMQ', ...(await startElasticMq()) }),
};

async function startEmbedded(): Promise<Server> {
  const script = fileURLToPath(new URL('./server.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [endpoint] = (await once(createInterface(child.stdout), 'line')) as [string];
  return {
    name: 'the embedded server',
    endpoint,
    stop: async () => {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}
