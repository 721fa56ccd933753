import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Pool } from 'undici';
import { uuidv7 } from 'uuidv7';
import { ServiceProcess } from '../../src/demo/service-process.ts';
import { generateApiKey } from '../../src/http/auth.ts';
import { freePort } from '../../src/mongo/free-ports.ts';
import { accountId } from '../workload.ts';

/** Accounts one request touches. */
const LEGS = 100;
const CALLERS = 8;
/** As it is deployed: without what compiles it on the way. */
const BUILT = fileURLToPath(new URL('../../dist/src/cli.js', import.meta.url));

export interface MemoryPlan {
  readonly uri: string;
  readonly database: string;
  readonly accounts: number;
  /** For its log. */
  readonly folder: string;
  readonly tell: (text: string) => void;
}

/** Resident memory of a service in MiB: when it was started, and after each account was posted to through it. */
export interface ServiceMemory {
  readonly atFirst: number;
  readonly after: number;
}

export async function memoryOfService({ uri, database, accounts, folder, tell }: MemoryPlan): Promise<ServiceMemory> {
  const key = generateApiKey();
  const port = await freePort();
  const environment = {
    MONGODB_URI: uri,
    MONGODB_DATABASE: database,
    HTTP_PORT: String(port),
    BOOTSTRAP_API_KEY: key,
    LOG_LEVEL: 'warn',
  };
  const logFile = join(folder, 'service.log');
  const service = new ServiceProcess(`http://127.0.0.1:${port}`, environment, logFile, [BUILT]);
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: CALLERS });
  try {
    await service.start();
    const atFirst = await residentMib(service);
    let next = 0;
    const call = async () => {
      while (next < accounts) {
        const from = next;
        next += LEGS;
        await touch(pool, key, from, Math.min(LEGS, accounts - from));
        if ((from + LEGS) % (accounts / 10) === 0) {
          tell(`  ${(from + LEGS).toLocaleString('en')}: ${Math.round(await residentMib(service))} MiB`);
        }
      }
    };
    await Promise.all(Array.from({ length: CALLERS }, call));
    return { atFirst, after: await residentMib(service) };
  } finally {
    await pool.close();
    await service.end('SIGTERM');
  }
}

/** One balanced transaction over accounts that follow each other. */
async function touch(pool: Pool, key: string, from: number, count: number): Promise<void> {
  const postings = Array.from({ length: count }, (_, i) => {
    return { account: accountId(from + i), amount: i % 2 === 0 ? '-1' : '1', currency: 'EUR' };
  });
  const { statusCode, body } = await pool.request({
    path: '/v1/transactions',
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'idempotency-key': uuidv7() },
    body: JSON.stringify({ postings }),
  });
  const text = await body.text();
  if (statusCode !== 201) throw new Error(`a transaction was answered ${statusCode}: ${text.slice(0, 300)}`);
}

async function residentMib(service: ServiceProcess): Promise<number> {
  return (await service.residentMiB()) ?? Number.NaN;
}
