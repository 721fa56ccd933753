import { randomUUID } from 'node:crypto';
import { Cloudname, type CloudnameOptions } from '../../../src/cloudname/cloudname.ts';
import { Coordinate } from '../../../src/cloudname/coordinate.ts';
import { Session } from '../../../src/zookeeper/session.ts';

/** A part of a ZooKeeper of its own, by chroot, and the clients opened in it. */
export class Namespace {
  readonly #opened: { close(): Promise<void> }[] = [];

  private constructor(
    readonly connect: string,
    readonly root: string,
  ) {}

  static async create(connect: string): Promise<Namespace> {
    const root = `/test-${randomUUID()}`;
    const session = new Session({ connect, requestMs: 20_000 });
    await session.create(root, null);
    await session.close();
    return new Namespace(`${connect}${root}`, root);
  }

  async open(options: Partial<CloudnameOptions> = {}): Promise<Cloudname> {
    const cloudname = Cloudname.open({ connect: this.connect, sessionMs: 20_000, requestMs: 20_000, ...options });
    this.#opened.push(cloudname);
    await cloudname.session.ready();
    return cloudname;
  }

  /** A coordinate that was created. */
  async created(text: string): Promise<Coordinate> {
    const coordinate = Coordinate.parse(text);
    const cloudname = await this.open();
    await cloudname.create(coordinate);
    await cloudname.close();
    return coordinate;
  }

  async close(): Promise<void> {
    await Promise.all(this.#opened.map((opened) => opened.close()));
  }
}

/** Waits until it holds. @throws after `ms`, with what was seen last */
export async function until<T>(look: () => T | Promise<T>, holds: (value: T) => boolean, ms = 60_000): Promise<T> {
  const deadline = performance.now() + ms;
  for (;;) {
    const value = await look();
    if (holds(value)) return value;
    if (performance.now() > deadline) throw new Error(`not within ${ms} ms; last seen: ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
