import type { Transfer } from './workload.ts';

/** One way to move money, under measurement. */
export interface Side {
  readonly name: string;
  /** Resolves once the transfers are durable on a majority; a bulk side is given many at a time. */
  transfer(transfers: readonly Transfer[]): Promise<void>;
  close(): Promise<void>;
}
