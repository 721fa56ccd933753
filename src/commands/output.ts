/** What commands have in common. Answers go to standard output, everything else to standard error. */
import { InvalidArgumentError } from 'commander';
import { renderJson } from '../resources/text.ts';
import type { VerifyProgress } from '../verification/verify.ts';

/** 0: all is well. 1: something is broken or differs. 2: it could not run. */
export const EXIT = { ok: 0, broken: 1, unusable: 2 } as const;
const PROGRESS_MS = 200;

export interface Output {
  readonly json?: boolean;
}

export type Environment = Readonly<Record<string, string | undefined>>;

export function print(value: unknown, { json }: Output, text: () => string): void {
  process.stdout.write(json ? renderJson(value) : text());
}

/** One line on a terminal that is written over; nothing where there is no terminal. */
export function progress(): (at: Pick<VerifyProgress, 'done' | 'of'> & { phase: string }) => void {
  let last = 0;
  return ({ phase, done, of }) => {
    if (!process.stderr.isTTY || Date.now() - last < PROGRESS_MS) return;
    last = Date.now();
    const total = of === null ? '' : ` of ${of.toLocaleString('en')}`;
    process.stderr.write(`\r\x1b[K${phase}: ${done.toLocaleString('en')}${total}`);
  };
}

export function endProgress(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
}

export function wholeNumber(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}
