/** What the ladder needs of the ledger. `src/wiring/ladder.ts` has it. */
import type { MemberStatus } from './sources.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface LadderDatabase {
  /** Makes a database with the schema of the ledger and the accounts that payments go between. */
  prepare(database: string): Promise<void>;
  /** Of each member, whatever it does. */
  status(): Promise<readonly MemberStatus[]>;
  /** What the process that calls engine and MongoDB is started with. */
  readonly innerPlan: (databases: { readonly engine: string; readonly database: string }) => string;
  /** What the service is started with, besides where it listens. */
  readonly serviceEnvironment: (database: string) => Environment;
  /** Removes what was prepared, and ends what was started. */
  close(): Promise<void>;
}

export interface LadderParts {
  readonly environment: Environment;
  /** Modules that Node.js runs. `http` and `validation` say on which port they listen, `inner` answers measurements. */
  readonly programs: { readonly http: URL; readonly validation: URL; readonly inner: URL; readonly service: URL };
  /** The command that runs the service, such as one that bounds its CPU; empty: nothing does. */
  readonly serviceWithin: readonly string[];
  /** Commands that the service has in flight at most. */
  readonly inFlightMax: number;
  startDatabase(): Promise<LadderDatabase>;
  /** Of 127.0.0.1, that nobody listens on. */
  freePorts(count: number): Promise<readonly number[]>;
}
