import { Pool } from 'undici';
import { uuidv7 } from 'uuidv7';
import type { Side } from '../side.ts';
import type { Transfer } from '../workload.ts';

/** One payment a request, over as many keep-alive connections as there are callers. */
export function overHttp(name: string, address: string, key: string, connections: number): Side {
  const pool = new Pool(address, { connections, pipelining: 1 });
  const post = async ({ source, destination, amount }: Transfer) => {
    const { statusCode, body } = await pool.request({
      path: '/v1/payments',
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'idempotency-key': uuidv7() },
      body: JSON.stringify({ source, destination, amount: Number(amount), currency: 'EUR' }),
    });
    const text = await body.text();
    if (statusCode !== 201) throw new Error(`${name} answered ${statusCode}: ${text.slice(0, 300)}`);
  };
  return {
    name,
    transfer: async (transfers) => {
      await Promise.all(transfers.map(post));
    },
    close: () => pool.close(),
  };
}
