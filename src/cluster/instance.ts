import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Claim, EndpointToPublish } from '../cloudname/claim.ts';
import type { Cloudname } from '../cloudname/cloudname.ts';
import { Coordinate, parseServiceName, type ServiceName } from '../cloudname/coordinate.ts';
import type { Log } from '../ledger/ports.ts';

const INSTANCES_MAX = 10_000;
const TRY_MS_MAX = 10_000;
const PUBLISH_MS_MAX = 5_000;

/** This process as others see it: a coordinate, its state and its endpoints. It goes on without ZooKeeper. */
export class Instance {
  private constructor(
    readonly coordinate: Coordinate,
    readonly claim: Claim,
    readonly log: Log,
  ) {
    claim.on('event', (event, message) => log.info({ event, coordinate: String(coordinate) }, message));
    claim.on('problem', (error) => log.warn({ err: error, coordinate: String(coordinate) }, 'the claim has a problem'));
  }

  /**
   * Claims the coordinate, or the first one of the service that nobody claims; creates it if it is missing. A given one
   * that somebody else has is waited for in the background.
   *
   * @param where `instance.service.user.cell` or `service.user.cell`.
   */
  static async join(cloudname: Cloudname, where: string, log: Log): Promise<Instance> {
    if (where.split('.').length === 4) {
      const coordinate = Coordinate.parse(where);
      await cloudname.ensure(coordinate);
      return new Instance(coordinate, cloudname.claim(coordinate), log);
    }
    const name = parseServiceName(where);
    for (let number = 0; number < INSTANCES_MAX; number++) {
      const instance = await Instance.#tryFree(cloudname, name, number, log);
      if (instance !== null) return instance;
    }
    throw new Error(`all ${INSTANCES_MAX} instances of ${where} are claimed`);
  }

  static async #tryFree(cloudname: Cloudname, name: ServiceName, number: number, log: Log): Promise<Instance | null> {
    const coordinate = new Coordinate(number, name.service, name.user, name.cell);
    if ((await cloudname.session.exists(coordinate.statusPath)) !== null) return null;
    await cloudname.ensure(coordinate);
    const claim = cloudname.claim(coordinate);
    // Another process may have been quicker.
    const taken = once(claim, 'event').then(([event]) => event === 'COORDINATE_OK');
    const isOurs = await Promise.race([taken, sleep(TRY_MS_MAX, false, { ref: false })]);
    if (isOurs) return new Instance(coordinate, claim, log);
    await claim.release();
    return null;
  }

  /** What is published stands there as soon as the coordinate is ours; nobody waits for that. */
  publish(endpoints: readonly EndpointToPublish[]): void {
    this.#do('endpoints', this.claim.putEndpoints(endpoints, PUBLISH_MS_MAX));
  }

  starting(): void {
    this.#do('status', this.claim.setStatus('STARTING', 'opening the books', PUBLISH_MS_MAX));
  }

  running(): void {
    this.#do('status', this.claim.setStatus('RUNNING', 'serving', PUBLISH_MS_MAX));
  }

  /** It runs, and can do nothing: others take over what it leads. */
  broken(why: string): void {
    this.#do('status', this.claim.setStatus('ERROR', why, PUBLISH_MS_MAX));
  }

  /** Resolves when others can see it, or when that takes too long. */
  async draining(): Promise<void> {
    await this.claim.setStatus('DRAINING', 'ending', PUBLISH_MS_MAX).catch(() => undefined);
  }

  #do(what: string, work: Promise<void>): void {
    work.catch((error: unknown) => {
      this.log.warn({ err: error, coordinate: String(this.coordinate) }, `the ${what} cannot be published yet`);
    });
  }
}
