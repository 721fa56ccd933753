import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { isPassing, isZooKeeperError } from '../zookeeper/errors.ts';
import type { Session } from '../zookeeper/session.ts';
import { type Coordinate, isName, type ServiceName, servicePath } from './coordinate.ts';
import { CloudnameError } from './errors.ts';
import { type Expression, parseExpression } from './expression.ts';
import { ServiceView } from './service-view.ts';
import { decodeStatus, type Endpoint, encodeCoordinate, type ServiceState, type ServiceStatus } from './status.ts';
import { ALL, ANY, type Found, type Strategy } from './strategy.ts';
import { inBatches, type ListFilter, listCoordinates } from './tree.ts';

const SERVICES_MAX = 1_000;
const EXPRESSIONS_MAX = 10_000;
const READ_CHECK_MS = 1_000;

export type ResolverEvent =
  | {
      readonly type: 'NEW_ENDPOINT' | 'REMOVED_ENDPOINT' | 'MODIFIED_ENDPOINT_DATA';
      readonly at: Coordinate;
      readonly endpoint: Endpoint;
    }
  | { readonly type: 'LOST_CONNECTION' | 'CONNECTION_OK' };

export interface EndpointFilter extends ListFilter {
  readonly endpoint?: string | undefined;
  readonly state?: ServiceState | undefined;
}

export interface ScannedEndpoint extends Found {
  readonly status: ServiceStatus;
}

export interface ResolverOptions {
  /** What `any` chooses by: the same seed, the same instance. By default each resolver has one of its own. */
  readonly seed?: string;
  readonly strategies?: readonly Strategy[];
}

interface ResolverEvents {
  /** Something could not be read and was left out: a status that is none, a node that is not ours to read. */
  problem: [path: string, error: unknown];
}

/**
 * Finds endpoints by expression. A service that was asked for is followed from then on, so that it is asked for in
 * memory; of more than a thousand services the one not asked for longest is left. While there is no connection, answers
 * are as they were when it was lost.
 */
export class Resolver extends EventEmitter<ResolverEvents> {
  readonly #session: Session;
  readonly #seed: string;
  readonly #strategies: ReadonlyMap<string, Strategy>;
  /** In the order of their last use. */
  readonly #views = new Map<string, ServiceView>();
  readonly #expressions = new Map<string, Expression>();
  /** What was chosen last, and among what. */
  readonly #answers = new WeakMap<
    Expression,
    { readonly running: readonly Found[]; readonly found: readonly Found[] }
  >();

  constructor(session: Session, { seed = randomUUID(), strategies = [] }: ResolverOptions = {}) {
    super();
    this.#session = session;
    this.#seed = seed;
    for (const { name } of strategies) {
      if (!isName(name)) throw new CloudnameError('malformed', `"${name}" cannot be the name of a strategy`);
    }
    this.#strategies = new Map([ALL, ANY, ...strategies].map((strategy) => [strategy.name, strategy]));
  }

  /**
   * The endpoints of running instances that match, none if none does.
   *
   * @throws CloudnameError `malformed`, `unknown_strategy`, or `service_missing` if a strategy is to choose among
   *   instances of a service that does not exist; ZooKeeperError when nothing is known of the service yet, and no
   *   server answers
   */
  async resolve(expression: string): Promise<Endpoint[]> {
    return (await this.find(expression)).map(({ endpoint }) => endpoint);
  }

  /** {@link resolve}, with where each endpoint was found. */
  async find(text: string): Promise<readonly Found[]> {
    const expression = this.#parse(text);
    const view = this.#view(expression);
    if (!view.isRead) await this.#read(view);
    const running = view.running();
    const last = this.#answers.get(expression);
    if (last?.running === running) return last.found;
    const found = this.#choose(expression, view);
    if (this.#isSteady(expression)) this.#answers.set(expression, { running, found });
    return found;
  }

  /**
   * Tells of the endpoints that match now, and of each change. Resolves when the first ones were told.
   *
   * @returns What ends it.
   * @throws as {@link resolve}, except that a service may be missing
   */
  async listen(text: string, listener: (event: ResolverEvent) => void): Promise<() => void> {
    const expression = this.#parse(text);
    const view = this.#view(expression);
    let known: ReadonlyMap<string, Found> = new Map();
    const update = () => {
      const found = view.exists ? this.#choose(expression, view) : [];
      const next = new Map(found.map((each) => [`${each.at}@${each.endpoint.name}`, each]));
      const events = differences(known, next);
      known = next;
      for (const event of events) listener(event);
    };
    const lost = () => listener({ type: 'LOST_CONNECTION' });
    const connected = () => listener({ type: 'CONNECTION_OK' });
    const forget = view.onChange(update);
    const stop = () => {
      forget();
      this.#session.off('disconnected', lost).off('connected', connected);
    };
    try {
      if (view.isRead) update();
      else await this.#read(view);
    } catch (error) {
      stop();
      throw error;
    }
    this.#session.on('disconnected', lost).on('connected', connected);
    return stop;
  }

  /** Looks at all coordinates, whatever their state. What cannot be read is left out and told of as a `problem`. */
  async scan(filter: EndpointFilter = {}): Promise<ScannedEndpoint[]> {
    const coordinates = await listCoordinates(this.#session, filter);
    const found = await inBatches(coordinates, (coordinate) => this.#scanOne(coordinate, filter));
    return found.flat();
  }

  /** Follows nothing any more. */
  close(): void {
    for (const view of this.#views.values()) view.stop();
    this.#views.clear();
  }

  async #scanOne(at: Coordinate, filter: EndpointFilter): Promise<ScannedEndpoint[]> {
    try {
      const { status, endpoints } = decodeStatus((await this.#session.getData(at.statusPath)).data);
      if (filter.state !== undefined && status.state !== filter.state) return [];
      return [...endpoints]
        .filter(([name]) => filter.endpoint === undefined || name === filter.endpoint)
        .filter((entry): entry is [string, Endpoint] => entry[1] !== null)
        .map(([, endpoint]) => ({ at, endpoint, status }));
    } catch (error) {
      if (isPassing(error)) throw error;
      // Nobody claims it, or it cannot be read.
      if (!isZooKeeperError(error, 'no_node')) this.#problem(at.statusPath, error);
      return [];
    }
  }

  #parse(text: string): Expression {
    let expression = this.#expressions.get(text);
    if (expression === undefined) {
      expression = parseExpression(text);
      const { choice } = expression;
      if ('strategy' in choice && !this.#strategies.has(choice.strategy)) {
        const known = [...this.#strategies.keys()].join(', ');
        throw new CloudnameError('unknown_strategy', `there is no strategy "${choice.strategy}"; there are ${known}`);
      }
      if (this.#expressions.size >= EXPRESSIONS_MAX) this.#expressions.clear();
      this.#expressions.set(text, expression);
    }
    return expression;
  }

  #view(name: ServiceName): ServiceView {
    const path = servicePath(name);
    let view = this.#views.get(path);
    if (view !== undefined) {
      this.#views.delete(path);
    } else {
      this.#makeRoom();
      view = new ServiceView(this.#session, name, (where, error) => this.#problem(where, error));
    }
    this.#views.set(path, view);
    return view;
  }

  #makeRoom(): void {
    if (this.#views.size < SERVICES_MAX) return;
    for (const [path, view] of this.#views) {
      if (view.hasListeners) continue;
      view.stop();
      this.#views.delete(path);
      return;
    }
    throw new CloudnameError('busy', `${SERVICES_MAX} services are listened to already`);
  }

  async #read(view: ServiceView): Promise<void> {
    // Whoever waits is told when there is no server, instead of waiting for ever.
    while (!view.isRead) {
      await this.#session.ready();
      await Promise.race([view.read(), sleep(READ_CHECK_MS, undefined, { ref: false })]);
    }
  }

  #choose({ service, user, cell, endpoint, choice }: Expression, view: ServiceView): readonly Found[] {
    let found = view.running();
    if (endpoint !== null) found = found.filter((each) => each.endpoint.name === endpoint);
    if ('instance' in choice) return found.filter(({ at }) => at.instance === choice.instance);
    if (!view.exists) {
      throw new CloudnameError('service_missing', `there is no service ${service}.${user}.${cell}`);
    }
    return this.#strategies.get(choice.strategy)!.choose(found, this.#seed);
  }

  #isSteady({ choice }: Expression): boolean {
    return 'strategy' in choice && this.#strategies.get(choice.strategy)!.isSteady === true;
  }

  #problem(path: string, error: unknown): void {
    this.emit('problem', path, error);
  }
}

function differences(before: ReadonlyMap<string, Found>, after: ReadonlyMap<string, Found>): ResolverEvent[] {
  const events: ResolverEvent[] = [];
  for (const [key, { at, endpoint }] of before) {
    const next = after.get(key);
    if (next === undefined || addressOf(next.endpoint) !== addressOf(endpoint)) {
      events.push({ type: 'REMOVED_ENDPOINT', at, endpoint });
    }
  }
  for (const [key, { at, endpoint }] of after) {
    const last = before.get(key);
    if (last === undefined || addressOf(last.endpoint) !== addressOf(endpoint)) {
      events.push({ type: 'NEW_ENDPOINT', at, endpoint });
    } else if (last.endpoint.endpointData !== endpoint.endpointData) {
      events.push({ type: 'MODIFIED_ENDPOINT_DATA', at, endpoint });
    }
  }
  return events;
}

function addressOf({ coordinate, host, port, protocol }: Endpoint): string {
  return JSON.stringify([coordinate === null ? null : encodeCoordinate(coordinate), host, port, protocol]);
}
