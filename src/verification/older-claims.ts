import type { Claim } from '../ledger/ports.ts';
import type { OriginCheck } from './origin-check.ts';
import type { AuditPort, ClaimHead, EarlierPort } from './ports.ts';

const CLAIMS_AT_ONCE = 100;
const IDS_AT_ONCE = 1_000;

type ClaimsPort = Pick<AuditPort, 'claims' | 'places' | 'findByKeys'> & Pick<EarlierPort, 'claimsOf' | 'keysOf'>;

/** Which claims an increment concerns: those that are new or pending, and older ones that its entries or commands name. */
export class OlderClaims {
  readonly #met = new Set<string>();

  /** `since`: no claim that was made before (ms since the epoch) can be missing from what was verified, unless it is pending. */
  constructor(
    readonly port: ClaimsPort,
    readonly since: number,
  ) {}

  /** Takes in what was claimed under the keys of entries of the increment. */
  meet(found: readonly ClaimHead[]): void {
    for (const { claimId, at, state } of found) if (at < this.since && state === 'done') this.#met.add(claimId);
  }

  async *claims(): AsyncIterable<Claim> {
    for await (const claim of this.port.claims(this.since)) {
      this.#met.delete(claim.id);
      yield claim;
    }
    const older = [...this.#met];
    for (let i = 0; i < older.length; i += CLAIMS_AT_ONCE) {
      yield* await this.port.claimsOf(older.slice(i, i + CLAIMS_AT_ONCE));
    }
  }

  /** Has commands with these ids, which none of the claims holds, answer for what follows them; as far as they stand. */
  async answer(origins: OriginCheck, ids: readonly string[]): Promise<void> {
    for (let i = 0; i < ids.length; i += IDS_AT_ONCE) {
      const some = ids.slice(i, i + IDS_AT_ONCE);
      const keys = await this.port.keysOf(some);
      const [places, found] = await Promise.all([
        this.port.places(some),
        this.port.findByKeys([...new Set(keys.values())]),
      ]);
      const wanted = new Set(some);
      for (const { command } of found) {
        if (!wanted.has(command.id)) continue;
        origins.take(
          command,
          places.filter(({ id }) => id === command.id),
        );
      }
    }
  }
}
