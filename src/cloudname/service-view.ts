import { isPassing } from '../zookeeper/errors.ts';
import { type Following, followChildren, followData, type NodeData } from '../zookeeper/follow.ts';
import type { Session } from '../zookeeper/session.ts';
import { Coordinate, isInstance, type ServiceName, servicePath } from './coordinate.ts';
import { CloudnameError } from './errors.ts';
import { decodeStatus, type StatusNode } from './status.ts';
import type { Found } from './strategy.ts';

interface InstanceView {
  readonly coordinate: Coordinate;
  readonly following: Following<NodeData | null>;
  isRead: boolean;
  /** Null: not claimed, or not readable. */
  node: StatusNode | null;
}

export type OnProblem = (path: string, error: unknown) => void;

/** A service's instances and their status, kept up to date by watches for as long as somebody asks for them. */
export class ServiceView {
  readonly #session: Session;
  readonly #name: ServiceName;
  readonly #onProblem: OnProblem;
  readonly #following: Following<string[] | null>;
  readonly #instances = new Map<number, InstanceView>();
  readonly #listeners = new Set<() => void>();
  readonly #waiting: (() => void)[] = [];
  #isStopped = false;
  #isListed = false;
  #whyUnlistable: unknown = null;
  #exists = false;
  #running: readonly Found[] | null = null;

  constructor(session: Session, name: ServiceName, onProblem: OnProblem) {
    this.#session = session;
    this.#name = name;
    this.#onProblem = onProblem;
    const path = servicePath(name);
    this.#following = followChildren(
      session,
      path,
      (children) => this.#listed(children),
      (error) => this.#unlistable(path, error),
    );
  }

  /** Was everything read once? What it holds then may be as old as the connection has been lost. */
  get isRead(): boolean {
    if (!this.#isListed) return false;
    for (const { isRead } of this.#instances.values()) if (!isRead) return false;
    return true;
  }

  /** Is there any coordinate of the service? */
  get exists(): boolean {
    return this.#exists;
  }

  get hasListeners(): boolean {
    return this.#listeners.size > 0;
  }

  /** Resolves when {@link isRead}. @throws ZooKeeperError when it is not ours to list */
  async read(): Promise<void> {
    while (!this.isRead) {
      if (this.#whyUnlistable !== null) throw this.#whyUnlistable;
      if (this.#isStopped) throw new CloudnameError('busy', 'too many other services were asked for meanwhile');
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** All endpoints of instances that say that they run, in the order of the instances. */
  running(): readonly Found[] {
    this.#running ??= [...this.#instances.values()]
      .filter(({ node }) => node?.status.state === 'RUNNING')
      .sort((a, b) => a.coordinate.instance - b.coordinate.instance)
      .flatMap(({ coordinate, node }) =>
        [...node!.endpoints.values()].map((endpoint) => ({ at: coordinate, endpoint })),
      )
      .filter((found): found is Found => found.endpoint !== null);
    return this.#running;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  stop(): void {
    this.#isStopped = true;
    this.#following.stop();
    for (const { following } of this.#instances.values()) following.stop();
    this.#wake();
  }

  #listed(children: string[] | null): void {
    this.#isListed = true;
    this.#whyUnlistable = null;
    this.#exists = children !== null;
    const { service, user, cell } = this.#name;
    const numbers = new Set(
      (children ?? [])
        .filter((name) => /^\d+$/.test(name))
        .map(Number)
        .filter(isInstance),
    );
    for (const [number, { following }] of this.#instances) {
      if (numbers.has(number)) continue;
      following.stop();
      this.#instances.delete(number);
    }
    for (const number of numbers) {
      if (!this.#instances.has(number)) this.#add(new Coordinate(number, service, user, cell));
    }
    this.#changed();
  }

  #unlistable(path: string, error: unknown): void {
    this.#onProblem(path, error);
    if (isPassing(error)) return;
    // It is tried again, but nobody waits for that.
    this.#whyUnlistable = error;
    this.#wake();
  }

  #add(coordinate: Coordinate): void {
    const path = coordinate.statusPath;
    const following = followData(
      this.#session,
      path,
      (value) => this.#statusRead(coordinate.instance, path, value),
      (error) => this.#unreadable(coordinate.instance, path, error),
    );
    this.#instances.set(coordinate.instance, { coordinate, following, isRead: false, node: null });
  }

  #statusRead(instance: number, path: string, value: NodeData | null): void {
    const view = this.#instances.get(instance);
    if (view === undefined) return;
    view.isRead = true;
    view.node = null;
    try {
      view.node = value === null ? null : decodeStatus(value.data);
      const broken = [...(view.node?.endpoints ?? [])].find(([, endpoint]) => endpoint === null);
      if (broken !== undefined) throw new TypeError(`endpoint "${broken[0]}" is null`);
    } catch (error) {
      this.#onProblem(path, error);
    }
    this.#changed();
  }

  #unreadable(instance: number, path: string, error: unknown): void {
    const view = this.#instances.get(instance);
    if (view === undefined) return;
    this.#onProblem(path, error);
    // It says nothing of what stands there.
    if (isPassing(error)) return;
    // Others must not wait for what cannot be read.
    view.isRead = true;
    view.node = null;
    this.#changed();
  }

  #changed(): void {
    this.#running = null;
    if (!this.isRead) return;
    this.#wake();
    for (const listener of [...this.#listeners]) listener();
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
