import { setImmediate as settled } from 'node:timers/promises';
import type { Runtime } from '../../src/ledger/ports.ts';

const EPOCH = Date.UTC(2026, 0, 1);

/** A number from 0 to 1, not 1. */
export type Random = () => number;

/** Mulberry32: small, and the same on every machine for the same seed. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

interface Event {
  readonly at: number;
  readonly order: number;
  readonly host: Host | null;
  readonly happen: () => void;
}

/**
 * A world in which nothing happens by itself: time goes from one event to the next, and events of the same moment
 * happen in the order in which they were asked for. Whatever runs in it does the same again for the same seed.
 */
export class VirtualWorld {
  readonly random: Random;
  #elapsed = 0;
  #asked = 0;
  #ids = 0;
  /** The next one last. */
  readonly #events: Event[] = [];

  constructor(seed: number) {
    this.random = seeded(seed);
  }

  /** Milliseconds since its beginning. */
  get elapsed(): number {
    return this.#elapsed;
  }

  /** How the world itself sees time: the network, the store, callers. */
  get runtime(): Runtime {
    return this.runtimeOf(null);
  }

  /** How a host sees it: by a clock that may be wrong, and only while it is alive and awake. */
  runtimeOf(host: Host | null): Runtime {
    return {
      now: () => EPOCH + Math.floor(this.#elapsed) + (host?.clockOffMs ?? 0),
      elapsed: () => this.#elapsed,
      sleep: (ms, signal) => this.#sleep(ms, host, signal),
      turn: () => this.#sleep(0, host),
      random: this.random,
      newId: () => `id-${++this.#ids}`,
    };
  }

  /** Lets things happen until the work is done. Rejects when it is not by then, or when nothing is left to happen. */
  async live<T>(work: Promise<T>, untilMs: number): Promise<T> {
    let isDone = false;
    const done = work.finally(() => {
      isDone = true;
    });
    done.catch(() => undefined);
    for (;;) {
      // All that follows at once from the last event has happened when the event loop turns.
      await settled();
      if (isDone) return done;
      this.#step(untilMs);
    }
  }

  #step(untilMs: number): void {
    const event = this.#events.pop();
    if (!event) throw new Error(`the world stands still after ${this.#elapsed} ms`);
    if (event.at > untilMs) throw new Error(`the world does not come to an end within ${untilMs} ms`);
    this.#elapsed = event.at;
    const { host } = event;
    if (host?.isDead) return;
    if (host && host.frozenUntil > event.at) this.#add({ ...event, at: host.frozenUntil });
    else event.happen();
  }

  #sleep(ms: number, host: Host | null, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const wake = () => {
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      signal?.addEventListener('abort', wake);
      this.#add({ at: this.#elapsed + ms, order: ++this.#asked, host, happen: wake });
    });
  }

  #add(event: Event): void {
    let i = this.#events.length;
    while (i > 0 && isBefore(this.#events[i - 1]!, event)) i--;
    this.#events.splice(i, 0, event);
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** A machine in the world, with a clock of its own. It can freeze, and die. */
export class Host {
  isDead = false;
  frozenUntil = 0;
  /** How far its clock is off, in ms. */
  clockOffMs = 0;
  readonly runtime: Runtime;

  constructor(readonly world: VirtualWorld) {
    this.runtime = world.runtimeOf(this);
  }

  freeze(ms: number): void {
    this.frozenUntil = this.world.elapsed + ms;
  }

  /** Sends a request and takes in its answer: neither happens while it is frozen, or ever when it is dead. */
  async carry<T>(request: () => Promise<T>): Promise<T> {
    await this.runtime.turn();
    try {
      return await request();
    } finally {
      await this.runtime.turn();
    }
  }
}
