import { Session, type SessionOptions } from '../zookeeper/session.ts';
import { Claim, type ClaimOptions } from './claim.ts';
import { type ConfigEvent, type CoordinateConfig, getConfig, setConfig, watchConfig } from './config.ts';
import type { Coordinate } from './coordinate.ts';
import { isCloudnameError } from './errors.ts';
import { acquireLock, type Lock, type LockScope } from './lock.ts';
import { Resolver, type ResolverOptions } from './resolver.ts';
import type { StatusNode } from './status.ts';
import { createCoordinate, destroyCoordinate, type ListFilter, listCoordinates, readStatus } from './tree.ts';

export interface CloudnameOptions extends SessionOptions {
  readonly resolver?: ResolverOptions;
}

/**
 * Coordinates for services, independent of where they run: a service claims its coordinate, publishes its status and
 * endpoints there, and others find them. Shares ZooKeeper with services that use the Java original.
 *
 * All that is asked may fail with a `ZooKeeperError`; with `outcomeUnknown` it may have been done all the same.
 */
export class Cloudname {
  /** The session with ZooKeeper: its events tell of connections. */
  readonly session: Session;
  readonly resolver: Resolver;
  readonly #claims = new Set<Claim>();

  private constructor({ resolver, ...session }: CloudnameOptions) {
    this.session = new Session(session);
    this.resolver = new Resolver(this.session, resolver);
  }

  /** Begins a session at once; whoever asks something waits for it. @throws TypeError for a wrong connect string */
  static open(options: CloudnameOptions): Cloudname {
    return new Cloudname(options);
  }

  /** {@link open}, and waits until a server answered. @throws ZooKeeperError `connection_loss` */
  static async connect(options: CloudnameOptions): Promise<Cloudname> {
    const cloudname = new Cloudname(options);
    try {
      await cloudname.session.ready();
      return cloudname;
    } catch (error) {
      await cloudname.close();
      throw error;
    }
  }

  /** @throws CloudnameError `coordinate_exists` */
  create(coordinate: Coordinate): Promise<void> {
    return createCoordinate(this.session, coordinate);
  }

  /** {@link create}, unless it is there already. */
  async ensure(coordinate: Coordinate): Promise<void> {
    try {
      await this.create(coordinate);
    } catch (error) {
      if (!isCloudnameError(error, 'coordinate_exists')) throw error;
    }
  }

  /** @throws CloudnameError `coordinate_missing`, `coordinate_claimed` or `coordinate_not_empty` */
  destroy(coordinate: Coordinate): Promise<void> {
    return destroyCoordinate(this.session, coordinate);
  }

  list(filter?: ListFilter): Promise<Coordinate[]> {
    return listCoordinates(this.session, filter);
  }

  /** Null: nobody claims it. @throws CloudnameError `coordinate_missing` or `malformed` */
  status(coordinate: Coordinate): Promise<StatusNode | null> {
    return readStatus(this.session, coordinate);
  }

  /** Goes on trying until it is released; see {@link Claim}. */
  claim(coordinate: Coordinate, options?: ClaimOptions): Claim {
    for (const each of this.#claims) if (each.isOver) this.#claims.delete(each);
    const claim = new Claim(this.session, coordinate, options);
    this.#claims.add(claim);
    return claim;
  }

  getConfig(coordinate: Coordinate): Promise<CoordinateConfig> {
    return getConfig(this.session, coordinate);
  }

  /** See {@link setConfig}. */
  setConfig(coordinate: Coordinate, text: string, old: string | number | null): Promise<number> {
    return setConfig(this.session, coordinate, text, old);
  }

  /** See {@link watchConfig}. */
  watchConfig(
    coordinate: Coordinate,
    onEvent: (event: ConfigEvent) => void,
    onProblem: (error: unknown) => void = () => {},
  ): () => void {
    return watchConfig(this.session, coordinate, onEvent, onProblem);
  }

  /** See {@link acquireLock}. */
  lock(lock: { coordinate: Coordinate; scope: LockScope; name: string }, waitMs = 0): Promise<Lock | null> {
    return acquireLock(this.session, lock, waitMs);
  }

  /** Releases all claims, and ends the session. */
  async close(): Promise<void> {
    this.resolver.close();
    if (this.session.isConnected) await Promise.all([...this.#claims].map((claim) => claim.release()));
    await this.session.close();
  }

  /** Keeps all claims for the session's time, for a process that resumes it; see {@link Session.leave}. */
  leave(): void {
    this.resolver.close();
    this.session.leave();
  }
}
