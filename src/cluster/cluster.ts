import type { EndpointToPublish } from '../cloudname/claim.ts';
import { Cloudname, type CloudnameOptions } from '../cloudname/cloudname.ts';
import type { ClaimedWork, Log } from '../ledger/ports.ts';
import type { Outcome } from '../ledger/types.ts';
import { HealthWatch } from './health.ts';
import { Instance } from './instance.ts';
import { type BookKeeper, BookLeadership, INTERNAL_ENDPOINT, PROTOCOL } from './leadership.ts';
import { ClusterServer } from './server.ts';

const CONNECT_MS_MAX = 5_000;
const SERVER_GRACE_MS = 2_000;

export interface ClusterOptions {
  readonly cloudname: CloudnameOptions;
  /** `instance.service.user.cell`, or `service.user.cell` for the first free instance. */
  readonly where: string;
  readonly books: number;
  /** Known to all instances of the service, and to nobody else. */
  readonly token: string;
  /** Where this instance listens for the others; port 0: any. */
  readonly listen: { readonly host: string; readonly port: number };
  /** By which name or address the others reach this host. */
  readonly advertisedHost: string;
  /** Commands that the others may have under way here. */
  readonly commandsMax: number;
  readonly log: Log;
}

/** What the engine of this process does for the others. */
export interface Carrier extends BookKeeper {
  carryOn(works: readonly ClaimedWork[]): Promise<Outcome>[];
}

/** This process as one of several that share their books. */
export class Cluster {
  #health: HealthWatch | null = null;
  #carrier: Carrier | null = null;
  #isWell = true;

  private constructor(
    readonly cloudname: Cloudname,
    readonly instance: Instance,
    readonly leadership: BookLeadership,
    readonly server: ClusterServer,
  ) {}

  /**
   * Claims a coordinate, and listens for the others; leads nothing yet.
   *
   * @throws ZooKeeperError when no ZooKeeper server answers
   */
  static async join(options: ClusterOptions): Promise<Cluster> {
    const { log, advertisedHost, books, token, listen, commandsMax } = options;
    const cloudname = Cloudname.open(options.cloudname);
    cloudname.resolver.on('problem', (path, error) => log.warn({ err: error, path }, 'left out: it cannot be read'));
    cloudname.session.on('disconnected', (error) => log.warn({ err: error }, 'the connection to ZooKeeper is lost'));
    cloudname.session.on('expired', () => log.warn({}, 'the ZooKeeper session ended; a new one is begun'));
    let server: ClusterServer | null = null;
    try {
      await cloudname.session.ready(CONNECT_MS_MAX);
      const instance = await Instance.join(cloudname, options.where, log);
      instance.starting();
      let cluster: Cluster | null = null;
      server = new ClusterServer({
        token,
        commandsMax,
        log,
        accepts: (book) => cluster?.leadership.leads(book) === true,
        carryOn: (works) => cluster!.#carrier!.carryOn(works),
      });
      const port = await server.listen(listen.host, listen.port);
      const self = instance.coordinate;
      const leadership = new BookLeadership({ cloudname, self, host: advertisedHost, port, books, token, log });
      instance.publish([{ name: INTERNAL_ENDPOINT, host: advertisedHost, port, protocol: PROTOCOL }]);
      cluster = new Cluster(cloudname, instance, leadership, server);
      return cluster;
    } catch (error) {
      await server?.close(0);
      await cloudname.close();
      throw error;
    }
  }

  /** Says that this instance runs, and leads what falls to it. */
  async start(carrier: Carrier, isWell: () => Promise<boolean>): Promise<void> {
    this.#carrier = carrier;
    await this.leadership.start(carrier);
    this.instance.running();
    this.#health = new HealthWatch(isWell, (isWellNow) => {
      this.#isWell = isWellNow;
      if (isWellNow) this.instance.running();
      else this.instance.broken('the database does not answer');
    });
  }

  /** Figures for metrics. */
  stats() {
    return { ...this.leadership.counts, ledNow: this.leadership.led().length, isWell: this.#isWell };
  }

  /** Publishes where this instance is reached, beside what the instances need themselves. */
  publish(endpoints: readonly EndpointToPublish[]): void {
    this.instance.publish(endpoints);
  }

  /** Hands over what it leads. Commands may still come in; they go to the others. */
  async drain(): Promise<void> {
    this.#health?.stop();
    await this.instance.draining();
    await this.leadership.handBack();
  }

  async close(): Promise<void> {
    await this.server.close(SERVER_GRACE_MS);
    await this.leadership.close();
    await this.cloudname.close();
  }
}
