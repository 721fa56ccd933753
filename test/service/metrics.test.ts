import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { useService } from './support/service.ts';

const DOCUMENT = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8');
const service = useService({ METRICS_OPEN: 'true', RATE_LIMIT_PER_MINUTE: '5' });

async function scrape(): Promise<string> {
  const answer = await fetch(`${service.api.address}/metrics`);
  expect(answer.status).toBe(200);
  return answer.text();
}

/** The value of a line without labels, or with exactly these. */
function figure(text: string, line: string): number {
  return Number(
    text
      .split('\n')
      .find((one) => one.startsWith(`${line} `))
      ?.slice(line.length),
  );
}

it('a service that works serves documented metrics that tell so', async () => {
  await service.api.createAccounts('world:EUR', 'a');
  await service.api.pay('world:EUR', 'a', 5);
  const statuses: number[] = [];
  for (let i = 0; i < 4; i++) statuses.push((await service.api.get('/v1/accounts/nobody')).status);
  expect(statuses).toEqual([404, 404, 429, 429]);
  const text = await scrape();
  const names = [...text.matchAll(/^# TYPE (\w+) /gm)].map(([, name]) => name!);
  expect(names.filter((name) => !DOCUMENT.includes(`| \`${name}\` |`))).toEqual([]);
  expect(names.length).toBeGreaterThan(50);
  const paid = '{method="POST",route="/v1/payments",status="201"}';
  expect(figure(text, `kvitt_http_request_duration_seconds_count${paid}`)).toBe(1);
  expect(figure(text, 'kvitt_http_problems_total{code="not_found"}')).toBe(2);
  expect(figure(text, 'kvitt_http_problems_total{code="rate_limited"}')).toBe(2);
  expect(figure(text, 'kvitt_engine_block_entries_sum')).toBe(1);
  expect(figure(text, 'kvitt_engine_append_duration_seconds_count{outcome="done"}')).toBeGreaterThan(0);
  const connections = ['in_use', 'idle'].map((state) =>
    figure(text, `kvitt_mongodb_pool_connections{state="${state}"}`),
  );
  for (const count of connections) expect(count).toBeGreaterThanOrEqual(0);
  expect(connections[0]! + connections[1]!).toBeGreaterThan(0);
  expect(figure(text, 'kvitt_mongodb_pool_failed_checkouts_total')).toBe(0);
});
