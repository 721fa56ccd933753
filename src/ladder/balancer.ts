/** A load balancer in front of one server, with a configuration of our own: in the foreground, on loopback only. */
import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { Child } from './child.ts';
import { waitingToBeAccepted } from './procfs.ts';
import type { Reading, Source } from './sampler.ts';

export const BALANCERS = ['nginx', 'haproxy'] as const;
export type BalancerKind = (typeof BALANCERS)[number];

export interface BalancerOptions {
  readonly kind: BalancerKind;
  /** Program that is run. */
  readonly program: string;
  /** Connections that it has at once: haproxy from callers, nginx in each of its processes, to both sides. */
  readonly connectionsMax: number;
  /** Where it listens, and where nginx tells of itself. */
  readonly ports: readonly [port: number, statusPort: number];
  readonly backendPort: number;
  /** For its configuration and all that it writes. */
  readonly folder: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

const READY_MS_MAX = 5_000;
const POLL_MS = 50;
const ASK_MS_MAX = 1_000;
const EXHAUSTED = /worker_connections are not enough/g;

export class Balancer {
  private constructor(
    readonly options: BalancerOptions,
    private readonly child: Child,
  ) {}

  static async start(options: BalancerOptions): Promise<Balancer> {
    const { kind, folder, program, environment } = options;
    const config = join(folder, `${kind}.conf`);
    await writeFile(config, kind === 'nginx' ? nginxConfig(options) : haproxyConfig(options));
    const argv = kind === 'nginx' ? ['-p', folder, '-c', config, '-e', errorLog(folder)] : ['-f', config];
    const logFile = join(folder, `${kind}.log`);
    const command = [program, ...argv];
    const child = Child.start({ command, environment, logFile, talks: false, lastSignal: 'SIGTERM' });
    const balancer = new Balancer(options, child);
    try {
      await balancer.#untilListening();
    } catch (error) {
      await balancer.end();
      throw error;
    }
    return balancer;
  }

  get kind(): BalancerKind {
    return this.options.kind;
  }

  get port(): number {
    return this.options.ports[0];
  }

  get pid(): number {
    return this.child.pid;
  }

  readonly source: Source = async () => {
    const { kind, connectionsMax } = this.options;
    const { connections, queued, turnedAway } = kind === 'nginx' ? await this.#nginx() : await this.#haproxy();
    const count = (name: string, value: number): Reading => ({ of: kind, name, unit: 'count', value });
    return [
      count('connections', connections),
      count('connections at most', connectionsMax),
      count('queued', queued + waitingToBeAccepted(this.port)),
      count('turned away', turnedAway),
    ];
  };

  end(): Promise<void> {
    return this.child.end();
  }

  /** Its own status page is of no use once it has no connection left for it; its error log then says so. */
  async #nginx() {
    const { folder, ports } = this.options;
    const signal = AbortSignal.timeout(ASK_MS_MAX);
    const page = await fetch(`http://127.0.0.1:${ports[1]}/`, { signal })
      .then((answer) => answer.text())
      .catch(() => '');
    const connections = Number(/^Active connections: (\d+)/m.exec(page)?.[1] ?? Number.NaN);
    const said = await readFile(errorLog(folder), 'utf8').catch(() => '');
    return { connections, queued: 0, turnedAway: said.match(EXHAUSTED)?.length ?? 0 };
  }

  async #haproxy() {
    const rows = csvRows(await ask(statsSocket(this.options.folder), 'show stat\n'));
    const [front, back] = [rows.find((row) => row.svname === 'FRONTEND'), rows.find((row) => row.svname === 'BACKEND')];
    const [connections, queued, turnedAway] = [front?.scur, back?.qcur, front?.econ || back?.econ];
    return { connections: Number(connections), queued: Number(queued ?? 0), turnedAway: Number(turnedAway ?? 0) };
  }

  async #untilListening(): Promise<void> {
    const until = Date.now() + READY_MS_MAX;
    while (!this.child.hasEnded && Date.now() < until) {
      if (await isListening(this.port)) return;
      await sleep(POLL_MS);
    }
    await this.child.failed();
  }
}

function nginxConfig({ connectionsMax, ports, backendPort, folder }: BalancerOptions): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `daemon off;
worker_processes auto;
pid ${join(folder, 'nginx.pid')};
error_log ${errorLog(folder)} warn;
events { worker_connections ${connectionsMax}; }
http {
  access_log off;
${temporary.map((name) => `  ${name}_temp_path ${join(folder, name)};`).join('\n')}
  keepalive_requests 1000000000;
  upstream service {
    server 127.0.0.1:${backendPort};
    keepalive 512;
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${ports[0]} backlog=4096;
    location / {
      proxy_pass http://service;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }
  }
  server {
    listen 127.0.0.1:${ports[1]};
    location / { stub_status; }
  }
}
`;
}

function haproxyConfig({ connectionsMax, ports, backendPort, folder }: BalancerOptions): string {
  return `global
  stats socket ${statsSocket(folder)} mode 600 level user
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend callers
  bind 127.0.0.1:${ports[0]} backlog 4096
  maxconn ${connectionsMax}
  default_backend service
backend service
  server service 127.0.0.1:${backendPort}
`;
}

function errorLog(folder: string): string {
  return join(folder, 'nginx-error.log');
}

function statsSocket(folder: string): string {
  return join(folder, 'haproxy.sock');
}

async function ask(socketPath: string, question: string): Promise<string> {
  const socket = connect(socketPath);
  socket.setTimeout(ASK_MS_MAX, () => socket.destroy(new Error('no answer')));
  socket.write(question);
  return text(socket);
}

function csvRows(csv: string): Record<string, string>[] {
  const [head = '', ...lines] = csv.trim().split('\n');
  const names = head.replace(/^# /, '').split(',');
  return lines.map((line) => Object.fromEntries(line.split(',').map((value, i) => [names[i]!, value])));
}

async function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
