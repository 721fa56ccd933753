/**
 * Starts ElasticMQ, an SQS server that is more faithful than the embedded one: it refuses stale receipts and repeated
 * deletes, and can be killed without losing a message. Needs `java` and, once, `mvn`; its jars are kept in the user's
 * cache folder.
 */
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../src/mongo/free-ports.ts';
import { endJava, fetchJars, startJava, untilAnswering } from './java.ts';

const VERSION = '1.7.1';

export interface ElasticMqOptions {
  /** Whatever it has acknowledged survives SIGKILL. It is several times slower then. Absent: all is in memory. */
  readonly isDurable?: boolean;
}

export interface ElasticMq {
  readonly endpoint: string;
  /** SIGKILL resolves when the process is gone; the others at once. */
  signal(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): Promise<void>;
  /** Once it is gone: starts it again on the same port, and resolves when it has all its messages again. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export async function startElasticMq({ isDurable = false }: ElasticMqOptions = {}): Promise<ElasticMq> {
  const jars = await fetchJars(`elasticmq-${VERSION}`, [`org.elasticmq:elasticmq-server_3:${VERSION}`]);
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const folder = await mkdtemp(join(tmpdir(), 'elasticmq-'));
  const [config, log] = [join(folder, 'elasticmq.conf'), join(folder, 'elasticmq.log')];
  await writeFile(config, `${settings(port)}${isDurable ? storage(folder) : ''}`);
  const run = () => {
    const output = openSync(log, 'a');
    const classes = ['-cp', join(jars, '*'), 'org.elasticmq.server.Main'];
    const child = startJava(['-Xmx512m', `-Dconfig.file=${config}`, ...classes], { output });
    closeSync(output);
    return child;
  };
  let server: ChildProcess;
  const start = async () => {
    const before = (await readFile(log, 'utf8').catch(() => '')).length;
    server = run();
    await untilAnswering('ElasticMQ', server, async () => {
      const said = await readFile(log, 'utf8');
      return (await answers(endpoint)) && hasAllBack(said.slice(0, before), said.slice(before));
    });
  };
  const signal = async (name: Parameters<ElasticMq['signal']>[0]) => {
    if (name === 'SIGKILL') await endJava(server, name);
    else server.kill(name);
  };
  const stop = async () => {
    await endJava(server, 'SIGKILL');
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  return { endpoint, signal, restart: start, stop };
}

function settings(port: number): string {
  return `include classpath("application.conf")
node-address { protocol = http, host = "127.0.0.1", port = ${port}, context-path = "" }
rest-sqs { enabled = true, bind-hostname = "127.0.0.1", bind-port = ${port} }
rest-stats { enabled = false }
`;
}

/**
 * Both queues and messages are in this database. By default H2 writes half a second later, which a SIGKILL would lose
 * (WRITE_DELAY), and keeps what it has overwritten for 45 s, which makes gigabytes of these small writes.
 */
function storage(folder: string): string {
  const uri = `jdbc:h2:${join(folder, 'messages')};WRITE_DELAY=0;RETENTION_TIME=0`;
  return `messages-storage { enabled = true, driver-class = "org.h2.Driver", uri = "${uri}", username = "", password = "" }
`;
}

/** It answers, and with empty queues, before it has read them: what was created before must be restored by now. */
function hasAllBack(before: string, since: string): boolean {
  const queues = new Set([...before.matchAll(/Creating queue CreateQueueData\(([\w-]+)/g)].map(([, name]) => name));
  return [...queues].every((name) => new RegExp(`Restored \\d+ messages in queue ${name}\\s`).test(since));
}

async function answers(endpoint: string): Promise<boolean> {
  return fetch(`${endpoint}/?Action=ListQueues`).then(
    (response) => response.ok,
    () => false,
  );
}
