/**
 * Starts ElasticMQ, an SQS server that is more faithful than the embedded one: it refuses stale receipts and repeated
 * deletes. Needs `java` and, once, `mvn`; its jars are kept in the user's cache folder.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { access, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const VERSION = '1.7.1';
const START_TIMEOUT_MS = 30_000;
const DOWNLOAD_TIMEOUT_MS = 300_000;

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>kvitt</groupId><artifactId>elasticmq-for-tests</artifactId><version>1</version><dependencies><dependency>
<groupId>org.elasticmq</groupId><artifactId>elasticmq-server_3</artifactId><version>${VERSION}</version>
</dependency></dependencies></project>`;

export interface ElasticMq {
  readonly endpoint: string;
  stop(): Promise<void>;
}

export async function startElasticMq(): Promise<ElasticMq> {
  const jars = await fetchJars();
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), 'elasticmq-'));
  const config = join(folder, 'elasticmq.conf');
  await writeFile(
    config,
    `include classpath("application.conf")
node-address { protocol = http, host = "127.0.0.1", port = ${port}, context-path = "" }
rest-sqs { enabled = true, bind-hostname = "127.0.0.1", bind-port = ${port} }
rest-stats { enabled = false }
`,
  );
  const server = spawn(
    java(),
    ['-Xmx256m', `-Dconfig.file=${config}`, '-cp', join(jars, '*'), 'org.elasticmq.server.Main'],
    { stdio: 'ignore' },
  );
  const endpoint = `http://127.0.0.1:${port}`;
  const stop = async () => {
    await kill(server);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await answering(endpoint, server);
  } catch (error) {
    await stop();
    throw error;
  }
  return { endpoint, stop };
}

/** Downloads into a folder beside the final one, so that a broken download is never taken for a whole one. */
async function fetchJars(): Promise<string> {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'kvitt');
  const jars = join(cache, `elasticmq-${VERSION}`);
  if (await exists(jars)) return jars;
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, 'download-'));
  try {
    await writeFile(join(work, 'pom.xml'), POM);
    const goal = ['-q', '-B', 'dependency:copy-dependencies', '-DincludeScope=runtime', '-DoutputDirectory=jars'];
    await promisify(execFile)('mvn', goal, { cwd: work, timeout: DOWNLOAD_TIMEOUT_MS });
    await rename(join(work, 'jars'), jars).catch(async (error: unknown) => {
      if (!(await exists(jars))) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return jars;
}

function java(): string {
  const home = process.env.JAVA_HOME;
  return home === undefined ? 'java' : join(home, 'bin', 'java');
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('the system gave no free port');
  return address.port;
}

async function answering(endpoint: string, server: ChildProcess): Promise<void> {
  for (const until = Date.now() + START_TIMEOUT_MS; Date.now() < until; await sleep(200)) {
    if (server.exitCode !== null)
      throw new Error(`ElasticMQ ended with exit code ${server.exitCode}; is java 11+ installed?`);
    const answered = await fetch(`${endpoint}/?Action=ListQueues`).then(
      (response) => response.ok,
      () => false,
    );
    if (answered) return;
  }
  throw new Error(`ElasticMQ did not answer at ${endpoint} within ${START_TIMEOUT_MS} ms`);
}

async function kill(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.pid === undefined) return;
  const ended = new Promise((resolve) => server.once('exit', resolve));
  server.kill('SIGKILL');
  await ended;
}
