import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const OURS = /^agent-[0-9a-f]{8}\.sock$/;
const TRIES_MAX = 3;
const RETRY_MS_MAX = 300;
/** Of a UNIX socket, in bytes, as Linux has it; other systems have less. */
const PATH_BYTES_MAX = 103;

export interface FolderLock {
  release(): Promise<void>;
}

/**
 * Makes this process the only agent of the folder, for as long as it lives.
 *
 * Each contender first listens at a socket of its own in the folder, and then looks for others: so of two that begin at
 * once, one sees the other at least. The kernel closes the socket of a process that ends, however it ends; one at which
 * nobody listens is left over.
 *
 * @throws Error when another one has it
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const created = await mkdir(folder, { recursive: true });
  // Processes of other users come through here to what is theirs; what is in it they cannot see.
  if (created !== undefined) await chmod(folder, 0o711);
  for (let tries = 1; ; tries++) {
    const lock = await listenIn(folder);
    if (!(await hasOthers(folder, lock.name))) return lock;
    await lock.release();
    if (tries === TRIES_MAX) break;
    // Of two that saw each other, one comes first the next time.
    await sleep(Math.random() * RETRY_MS_MAX);
  }
  throw new Error(`Another agent uses the folder ${folder}. End it first, or give this one another NODEE_DIR.`);
}

async function listenIn(folder: string): Promise<FolderLock & { readonly name: string }> {
  const name = `agent-${randomBytes(4).toString('hex')}.sock`;
  const path = join(folder, name);
  if (Buffer.byteLength(path) > PATH_BYTES_MAX) throw new Error(`NODEE_DIR is too long for sockets in it: ${folder}`);
  const server = createServer((socket) => socket.destroy());
  // It gets its name when it listens: before, others would take it for left over.
  const early = `${path.slice(0, -4)}new`;
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(early, resolve));
  server.unref();
  await rename(early, path);
  const release = async () => {
    await rm(path, { force: true });
    await new Promise((resolve) => server.close(resolve));
  };
  return { name, release };
}

async function hasOthers(folder: string, own: string): Promise<boolean> {
  const others = (await readdir(folder)).filter((name) => OURS.test(name) && name !== own);
  const alive = await Promise.all(others.map((name) => isListening(join(folder, name))));
  const left = others.filter((_, index) => !alive[index]);
  await Promise.all(left.map((name) => rm(join(folder, name), { force: true })));
  return alive.includes(true);
}

async function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(true));
    // Whatever else is wrong with it, such as a backlog that is full, says that somebody is there.
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT'));
    socket.once('close', () => resolve(true)).on('connect', () => socket.destroy());
  });
}
