/** What an agent leaves for the next one of its folder, so that its claims outlive it: its session with ZooKeeper. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Log } from '../processes/types.ts';
import type { Session, SessionCredentials } from '../zookeeper/session.ts';
import { parseJson, readIfThere, writeDurably } from './files.ts';

const FILE = 'session.json';

const kept = z.object({
  connect: z.string(),
  origin: z.string(),
  id: z.string().regex(/^-?\d{1,20}$/),
  password: z.base64(),
  announced: z.array(z.string()),
});

export interface LeftSession {
  readonly resume: SessionCredentials | null;
  /** Coordinates that may be claimed in that session still. */
  readonly announced: readonly string[];
}

/**
 * The session of the agent before. Only in the very folder in which it was kept, since the machine was booted: a copy of it,
 * here or elsewhere, must not act in the session of the original, as both would take themselves for the owner of what is
 * claimed in it.
 */
export async function readLeftSession(folder: string, connect: string): Promise<LeftSession> {
  const parsed = kept.safeParse(parseJson((await readIfThere(join(folder, FILE))) ?? ''));
  const origin = await originOf(folder);
  const isSame = parsed.success && parsed.data.origin === origin && parsed.data.connect === connect;
  if (!isSame) return { resume: null, announced: [] };
  const { id, password, announced } = parsed.data;
  return { resume: { id: BigInt(id), password: Buffer.from(password, 'base64') }, announced };
}

/** Keeps the session and what is announced in it, after each change. */
export class SessionKeeper {
  readonly #folder: string;
  readonly #session: Session;
  readonly #connect: string;
  readonly #log: Log;
  readonly #announced: Set<string>;
  #origin: string | null = null;
  #writing: Promise<void> = Promise.resolve();

  private constructor(folder: string, connect: string, session: Session, announced: readonly string[], log: Log) {
    this.#folder = folder;
    this.#connect = connect;
    this.#session = session;
    this.#announced = new Set(announced);
    this.#log = log;
  }

  static async open(
    folder: string,
    connect: string,
    session: Session,
    announced: readonly string[],
    log: Log,
  ): Promise<SessionKeeper> {
    const keeper = new SessionKeeper(folder, connect, session, announced, log);
    keeper.#origin = await originOf(folder);
    session.on('connected', () => void keeper.#write());
    if (session.isConnected) await keeper.#write();
    return keeper;
  }

  /** Call before it is claimed: resolves when that is kept. */
  async announced(coordinate: string): Promise<void> {
    this.#announced.add(coordinate);
    await this.#write();
  }

  async released(coordinate: string): Promise<void> {
    this.#announced.delete(coordinate);
    await this.#write();
  }

  /** All that was announced, by the agent before too, and not released. */
  get all(): readonly string[] {
    return [...this.#announced];
  }

  #write(): Promise<void> {
    this.#writing = this.#writing.then(async () => {
      const { id, password } = this.#session.credentials;
      const announced = [...this.#announced];
      const value = { connect: this.#connect, origin: this.#origin ?? '', id: String(id), announced };
      const text = JSON.stringify({ ...value, password: password.toString('base64') } satisfies z.infer<typeof kept>);
      await writeDurably(join(this.#folder, FILE), text).catch((error: unknown) => {
        this.#log.warn({ err: error }, 'what the next agent needs of the session cannot be kept');
      });
    });
    return this.#writing;
  }
}

/** Names the folder, on this machine, since it was booted; null: that cannot be told. */
async function originOf(folder: string): Promise<string | null> {
  try {
    const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
    const { dev, ino } = await stat(folder, { bigint: true });
    return `${boot} ${dev} ${ino}`;
  } catch {
    return null;
  }
}
