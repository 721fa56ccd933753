import { setTimeout as sleep } from 'node:timers/promises';
import type { Claim, EndpointToPublish } from '../cloudname/claim.ts';
import type { Cloudname } from '../cloudname/cloudname.ts';
import { Coordinate } from '../cloudname/coordinate.ts';
import { isCloudnameError } from '../cloudname/errors.ts';
import type { StatusNode } from '../cloudname/status.ts';
import type { Announcement, Log } from '../processes/types.ts';
import type { SessionKeeper } from './resumption.ts';

const RETRY_MS = 1_000;
/** How long a look at a claim lasts before it is asked again. */
const LOOK_MS = 1_000;
const MESSAGE_LENGTH_MAX = 500;

type Published = Parameters<Announcement['publish']>;

export interface AnnouncementDeps {
  readonly cloudname: Cloudname;
  readonly keeper: SessionKeeper;
  /** The coordinate of the agent itself. */
  readonly own: Coordinate;
  /** By which name or address others reach this host. */
  readonly host: string;
  readonly log: Log;
}

/** The coordinates that an agent claims for its processes. */
export class Announcements {
  readonly #deps: AnnouncementDeps;
  readonly #all = new Map<string, Announced>();

  constructor(deps: AnnouncementDeps) {
    this.#deps = deps;
  }

  /** @throws CloudnameError `malformed` */
  announce(coordinate: string): Announcement {
    const present = this.#all.get(coordinate);
    if (present !== undefined && !present.isReleased) return present;
    const announced: Announced = new Announced(Coordinate.parse(coordinate), this.#deps, async () => {
      // It may have been announced anew meanwhile.
      if (this.#all.get(coordinate) === announced) await this.#forget(coordinate);
    });
    this.#all.set(coordinate, announced);
    return announced;
  }

  /** Gives up what an agent before this one announced, and this one does not. */
  async releaseLeft(): Promise<void> {
    for (const coordinate of this.#left) await this.#releaseLeft(coordinate);
  }

  /** Gives up what an agent before this one had as its own place, where this one has another. */
  async releaseLeftPlaces(): Promise<void> {
    const { own } = this.#deps;
    const isPlace = (coordinate: string) => Coordinate.parse(coordinate).service === own.service;
    for (const coordinate of this.#left.filter(isPlace)) await this.#releaseLeft(coordinate);
  }

  get #left(): string[] {
    const { keeper, own } = this.#deps;
    return keeper.all.filter((each) => each !== String(own) && !this.#all.has(each));
  }

  async #releaseLeft(coordinate: string): Promise<void> {
    await this.#deps.cloudname.claim(Coordinate.parse(coordinate)).release();
    if (!this.#all.has(coordinate)) await this.#deps.keeper.released(coordinate);
  }

  async #forget(coordinate: string): Promise<void> {
    this.#all.delete(coordinate);
    await this.#deps.keeper.released(coordinate);
  }

  async releaseAll(): Promise<void> {
    await Promise.all([...this.#all.values()].map((announced) => announced.release()));
  }
}

/** Claimed from the beginning on, until it is released. */
class Announced implements Announcement {
  readonly #coordinate: Coordinate;
  readonly #deps: AnnouncementDeps;
  readonly #onReleased: () => Promise<void>;
  readonly #released = new AbortController();
  #claim: Claim | null = null;
  readonly #claiming: Promise<void>;
  #wanted: Published | null = null;
  /** Endpoints that the claim has. */
  #names: readonly string[] = [];

  constructor(coordinate: Coordinate, deps: AnnouncementDeps, onReleased: () => Promise<void>) {
    this.#coordinate = coordinate;
    this.#deps = deps;
    this.#onReleased = onReleased;
    this.#claiming = this.#begin();
  }

  get isReleased(): boolean {
    return this.#released.signal.aborted;
  }

  heldForMs(): number {
    return this.#claim?.heldForMs() ?? 0;
  }

  async held(signal: AbortSignal): Promise<void> {
    const over = AbortSignal.any([signal, this.#released.signal]);
    const ended = new Promise<void>((resolve) => over.addEventListener('abort', () => resolve(), { once: true }));
    for (;;) {
      over.throwIfAborted();
      if (this.heldForMs() > 0) return;
      // In short looks, as a claim tells nobody when time alone made it uncertain, and certain again.
      await Promise.race([this.#look(), ended]);
    }
  }

  publish(...wanted: Published): void {
    this.#wanted = wanted;
    if (this.#claim !== null) this.#put(this.#claim, wanted);
  }

  async release(): Promise<void> {
    if (this.isReleased) return;
    this.#released.abort(new Error(`${this.#coordinate} was released`));
    await this.#claiming;
    await this.#claim?.release();
    await this.#onReleased();
  }

  async #look(): Promise<void> {
    if (this.#claim === null || this.#claim.isOver) await sleep(LOOK_MS, undefined, { ref: false });
    else await this.#claim.held(LOOK_MS).catch(() => undefined);
  }

  async #begin(): Promise<void> {
    await this.#deps.keeper.announced(String(this.#coordinate));
    const before = await this.#prepare();
    if (this.isReleased) return;
    const claim = this.#deps.cloudname.claim(this.#coordinate);
    claim.on('problem', (error) => this.#problem(error));
    // In the same turn, before the claim writes anything: what stands there is not written over with nothing.
    if (this.#wanted !== null) this.#put(claim, this.#wanted);
    else if (before !== null) this.#putAgain(claim, before);
    this.#claim = claim;
  }

  /** Creates the coordinate. Answers what stands there already by this session; null: nothing does. */
  async #prepare(): Promise<StatusNode | null> {
    const { cloudname } = this.#deps;
    while (!this.isReleased && !cloudname.session.isClosed) {
      try {
        await cloudname.ensure(this.#coordinate);
        const stat = await cloudname.session.exists(this.#coordinate.statusPath);
        const isOurs = stat?.ephemeralOwner === cloudname.session.id;
        // What cannot be read, whoever wrote it, is written over.
        return isOurs ? await cloudname.status(this.#coordinate).catch(() => null) : null;
      } catch (error) {
        this.#problem(error);
        await sleep(RETRY_MS, undefined, { ref: false });
      }
    }
    return null;
  }

  #put(claim: Claim, [state, message, ports]: Published): void {
    const gone = this.#names.filter((name) => ports[name] === undefined);
    const endpoints = Object.entries(ports).map(([name, port]) => this.#endpoint(name, port));
    this.#names = Object.keys(ports);
    const work = [
      claim.setStatus(state, message.slice(0, MESSAGE_LENGTH_MAX)),
      claim.putEndpoints(endpoints),
      ...(gone.length > 0 ? [claim.removeEndpoints(gone)] : []),
    ];
    for (const done of work) done.catch((error: unknown) => this.#problem(error));
  }

  #putAgain(claim: Claim, { status, endpoints }: StatusNode): void {
    const ports = [...endpoints].flatMap(([name, endpoint]) => (endpoint === null ? [] : [[name, endpoint.port]]));
    const state = status.state === null || status.state === 'UNASSIGNED' ? 'STARTING' : status.state;
    this.#put(claim, [state, status.message ?? '', Object.fromEntries(ports)]);
  }

  #endpoint(name: string, port: number): EndpointToPublish {
    return { name, host: this.#deps.host, port, protocol: name.startsWith('http') ? 'http' : 'tcp' };
  }

  #problem(error: unknown): void {
    // It is published as soon as the coordinate is ours, unless the agent ends.
    if (isCloudnameError(error, 'not_owner') || this.#deps.cloudname.session.isClosed) return;
    this.#deps.log.warn({ err: error, coordinate: String(this.#coordinate) }, 'a coordinate cannot be published yet');
  }
}
