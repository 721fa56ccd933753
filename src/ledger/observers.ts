import type { EngineObserver, Log } from './ports.ts';

/** Tells any number of observers. One that throws is logged, and disturbs nobody. */
export class Observers implements EngineObserver {
  constructor(
    readonly observers: readonly EngineObserver[],
    readonly log: Log,
  ) {}

  claimed(...what: Parameters<EngineObserver['claimed']>): void {
    this.#tell((observer) => observer.claimed(...what));
  }

  appended(...what: Parameters<EngineObserver['appended']>): void {
    this.#tell((observer) => observer.appended(...what));
  }

  #tell(tell: (observer: EngineObserver) => void): void {
    for (const observer of this.observers) {
      try {
        tell(observer);
      } catch (error) {
        this.log.error({ err: error }, 'an observer of the engine failed');
      }
    }
  }
}
