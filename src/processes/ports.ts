/** Which ports the processes of a host get. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { ProcessSpec } from './spec.ts';

/** At all IPv4 addresses, and at all IPv6 addresses. */
const ANYWHERE = [{ host: '0.0.0.0' }, { host: '::', ipv6Only: true }] as const;

type Numbers = Readonly<Record<string, number>>;

export interface AssignedPorts {
  readonly numbers: Numbers;
  /** Others may have them from now on. */
  release(): void;
}

/** Hands out ports, none of them twice, and none that somebody else on this host uses. */
export class Ports {
  readonly #from: number;
  readonly #to: number;
  readonly #isFree: (port: number) => Promise<boolean>;
  /** How many have it: two, when agents found it used twice. */
  readonly #used = new Map<number, number>();
  /** Goes round, so that who still asks an old port does not soon meet somebody else there. */
  #next: number;

  constructor(
    range: { readonly from: number; readonly to: number },
    isFree: (port: number) => Promise<boolean>,
    random: () => number,
  ) {
    this.#from = range.from;
    this.#to = range.to;
    this.#isFree = isFree;
    // An agent that was just started does not know which ports were used a moment ago.
    this.#next = range.from + Math.floor(random() * (range.to - range.from + 1));
  }

  /** What runs already has these. */
  take(numbers: Numbers): AssignedPorts {
    const ports = Object.values(numbers);
    for (const port of ports) this.#add(port);
    let isReleased = false;
    const release = () => {
      if (!isReleased) for (const port of ports) this.#remove(port);
      isReleased = true;
    };
    return { numbers, release };
  }

  /**
   * @param preferred what it had before, and gets again where that is free
   * @throws Error when one is used, or none is left
   */
  async assign(wanted: ProcessSpec['ports'], preferred: Numbers): Promise<AssignedPorts> {
    const numbers: Record<string, number> = {};
    try {
      for (const [name, port] of byFixed(wanted)) {
        numbers[name] = port === null ? await this.#choose(preferred[name]) : await this.#fixed(name, port);
      }
    } catch (error) {
      for (const port of Object.values(numbers)) this.#remove(port);
      throw error;
    }
    const assigned = this.take(numbers);
    // They were reserved one by one above.
    for (const port of Object.values(numbers)) this.#remove(port);
    return assigned;
  }

  async #fixed(name: string, port: number): Promise<number> {
    if (await this.#reserve(port)) return port;
    throw new Error(
      `port ${port} ("${name}") is used by something else on this host: end that, or choose another port`,
    );
  }

  async #choose(preferred: number | undefined): Promise<number> {
    const isInRange = preferred !== undefined && preferred >= this.#from && preferred <= this.#to;
    if (isInRange && (await this.#reserve(preferred))) return preferred;
    for (let tries = this.#to - this.#from + 1; tries > 0; tries--) {
      const port = this.#next;
      this.#next = port >= this.#to ? this.#from : port + 1;
      if (await this.#reserve(port)) return port;
    }
    throw new Error(
      `none of the ports ${this.#from} to ${this.#to} is free: end something, or give the agent more ports`,
    );
  }

  /** Reserved before it is tried, so that nobody else tries it meanwhile. */
  async #reserve(port: number): Promise<boolean> {
    if (this.#used.has(port)) return false;
    this.#add(port);
    const isFree = await this.#isFree(port).catch(() => false);
    if (!isFree) this.#remove(port);
    return isFree;
  }

  #add(port: number): void {
    this.#used.set(port, (this.#used.get(port) ?? 0) + 1);
  }

  #remove(port: number): void {
    const count = (this.#used.get(port) ?? 0) - 1;
    if (count > 0) this.#used.set(port, count);
    else this.#used.delete(port);
  }
}

/** Does nobody listen at it, at any address? Found out by listening there. */
export async function isPortFree(port: number): Promise<boolean> {
  for (const address of ANYWHERE) {
    if (await isUsed({ ...address, port })) return false;
  }
  return true;
}

/** Anything but "in use" says nothing of others: IPv6 may be off, and the port one that this agent may not use itself. */
async function isUsed(address: { host: string; port: number }): Promise<boolean> {
  const server = createServer();
  try {
    server.listen({ ...address, exclusive: true });
    await once(server, 'listening');
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
  } finally {
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  }
}

/** Those with a number of their own first: no other gets it before them. */
function byFixed(wanted: ProcessSpec['ports']): [string, number | null][] {
  return Object.entries(wanted).sort(([, a], [, b]) => Number(a === null) - Number(b === null));
}
