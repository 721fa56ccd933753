import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

function read(file: string): string {
  return readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
}

describe('packaging', () => {
  it('publishes no port beyond this machine', () => {
    const published = [...read('docker-compose.yml').matchAll(/^ +ports: \[(.*)\]$/gm)].map((match) => match[1]);
    expect(published.length).toBeGreaterThan(0);
    for (const ports of published) expect(ports).toMatch(/^"127\.0\.0\.1:\d+:\d+"$/);
    expect(read('docker-compose.yml')).not.toMatch(/ports:\s*$|network_mode:/m);
  });

  it('has no API key of its own: without one, the composed service does not start', () => {
    expect(read('docker-compose.yml')).toMatch(/BOOTSTRAP_API_KEY: \$\{BOOTSTRAP_API_KEY:\?/);
  });

  it('runs as an unprivileged user', () => {
    const runtime = read('Dockerfile')
      .split(/^FROM /m)
      .at(-1);
    expect(runtime).toMatch(/^USER node$/m);
  });

  it('names the same queues to the service and to the SQS server', () => {
    const queues = [...read('docker-compose.yml').matchAll(/_QUEUE_URL: http:\/\/sqs:9324\/0{12}\/(\S+)/g)];
    expect(queues).toHaveLength(3);
    for (const [, queue] of queues)
      expect(read('docker/elasticmq.conf')).toMatch(new RegExp(`^  "?${queue}"? \\{`, 'm'));
  });

  it('pins each direct package to one version, so that every machine gets the same', () => {
    const { dependencies, devDependencies } = JSON.parse(read('package.json'));
    for (const version of Object.values({ ...dependencies, ...devDependencies })) {
      expect(version).toMatch(/^\d+\.\d+\.\d+$/);
    }
  });
});
