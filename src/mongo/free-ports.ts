import { createServer } from 'node:net';

/** Below the range from which systems give out ports for outgoing connections, so that they are free again later. */
const PORT_MIN = 21_000;
const PORT_MAX = 29_999;
const PORT_TRIES_MAX = 200;

/** A port of 127.0.0.1 that nobody listens on now, nor an outgoing connection gets. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  return port!;
}

/** Ports of 127.0.0.1 that nobody listens on now. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  for (let attempt = 0; attempt < PORT_TRIES_MAX && ports.size < count; attempt++) {
    const port = PORT_MIN + Math.floor(Math.random() * (PORT_MAX - PORT_MIN + 1));
    if (await isFree(port)) ports.add(port);
  }
  if (ports.size < count) throw new Error(`No ${count} free ports between ${PORT_MIN} and ${PORT_MAX} were found.`);
  return [...ports];
}

export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
