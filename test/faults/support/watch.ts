import type { ServiceTaker } from './service-taker.ts';

const EVERY_MS = 200;
/** Whoever asks about health waits no longer. */
const HEALTH_MS_MAX = 5_000;

/** Looks after the health and the memory of a service, until it is ended. */
export class Watch {
  /** The most that it kept in memory. */
  residentMiB = 0;
  readonly faults: string[] = [];
  readonly #timer: NodeJS.Timeout;
  #looks: Promise<void>[] = [];

  constructor(readonly service: ServiceTaker) {
    this.#timer = setInterval(() => this.#looks.push(this.#look()), EVERY_MS);
  }

  async end(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#looks);
  }

  async #look(): Promise<void> {
    const { address } = this.service;
    this.residentMiB = Math.max(this.residentMiB, (await this.service.residentMiB()) ?? 0);
    await Promise.all([this.#ask(`${address}/livez`, [200]), this.#ask(`${address}/readyz`, [200, 503])]);
  }

  async #ask(url: string, wanted: readonly number[]): Promise<void> {
    try {
      const { status } = await fetch(url, { signal: AbortSignal.timeout(HEALTH_MS_MAX) });
      if (!wanted.includes(status)) this.faults.push(`${url} was answered ${status}`);
    } catch (error) {
      this.faults.push(`${url} was not answered: ${error}`);
    }
  }
}
