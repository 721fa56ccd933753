import type { Cloudname } from '../cloudname/cloudname.ts';
import { addressOf } from '../cloudname/status.ts';

/** How long an instance that gave no answer is passed over, if there are others. */
const FAILED_MS = 2_000;

/** Where calls go. */
export interface Targets {
  /** The instance for the next call, such as `http://10.0.0.1:8080`; null: none is known now. */
  next(): Promise<string | null>;
  /** It gave no answer. */
  failed(target: string): void;
}

/** In turn, those that failed lately last. */
class Turns implements Targets {
  readonly #find: () => Promise<readonly string[]>;
  readonly #failedAt = new Map<string, number>();
  // Clients begin with different ones.
  #turn = Math.floor(Math.random() * 1_000);

  constructor(find: () => Promise<readonly string[]>) {
    this.#find = find;
  }

  async next(): Promise<string | null> {
    const known = await this.#find();
    for (const [target, at] of this.#failedAt) {
      if (performance.now() - at > FAILED_MS || !known.includes(target)) this.#failedAt.delete(target);
    }
    const well = known.filter((target) => !this.#failedAt.has(target));
    const among = well.length > 0 ? well : known;
    return among[this.#turn++ % among.length] ?? null;
  }

  failed(target: string): void {
    this.#failedAt.set(target, performance.now());
  }
}

/** Always the same instances, or a load balancer. */
export function fixedTargets(addresses: readonly string[]): Targets {
  const trimmed = addresses.map((address) => address.replace(/\/+$/, ''));
  return new Turns(async () => trimmed);
}

/**
 * All instances that say in Cloudname that they run, as they come and go: no load balancer is needed. What was last known
 * is used while ZooKeeper does not answer.
 *
 * @param service `service.user.cell`.
 */
export function cloudnameTargets(cloudname: Cloudname, service: string): Targets {
  const expression = `http.all.${service}`;
  return new Turns(async () => {
    const found = await cloudname.resolver.resolve(expression);
    return found.map(addressOf);
  });
}
