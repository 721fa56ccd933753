/** Which of several runs of one coordinate goes on. */

export interface Candidate {
  readonly hash: string;
  /** False: not yet, as far as is known. What cannot become so is no candidate. */
  readonly isHealthy: boolean;
}

/**
 * The one to keep, of those that run, the oldest first: one of the wanted specification as soon as it is healthy, or the
 * oldest, when none of them can become so. Null: wait until more is known.
 */
export function chooseKept<T extends Candidate>(candidates: readonly T[], wanted: string): T | null {
  const asWanted = candidates.filter(({ hash }) => hash === wanted);
  const choice = asWanted.length > 0 ? asWanted : candidates.slice(0, 1);
  return choice.find(({ isHealthy }) => isHealthy) ?? null;
}
