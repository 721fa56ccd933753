import type { Claim, ClaimEvent } from '../cloudname/claim.ts';
import type { Cloudname } from '../cloudname/cloudname.ts';
import type { Log } from '../processes/types.ts';

/** In times of a session: after so many, what an agent before this one claimed is gone. */
const SESSIONS_MAX = 2;
const MARGIN_MS = 2_000;

/**
 * - `waiting`: it is not this agent's yet; perhaps the session of the one before has not ended
 * - `owner`: it is, or the servers are not heard of and nobody else is known to have it
 * - `displaced`: another agent has it
 */
export type OwnershipState = 'waiting' | 'owner' | 'displaced';

/** Whether the coordinate of the agent is its own. */
export class Ownership {
  readonly #cloudname: Cloudname;
  readonly #claim: Claim;
  readonly #log: Log;
  readonly #onChange: (state: OwnershipState) => void;
  #state: OwnershipState = 'waiting';
  #last: ClaimEvent | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(cloudname: Cloudname, claim: Claim, log: Log, onChange: (state: OwnershipState) => void) {
    this.#cloudname = cloudname;
    this.#claim = claim;
    this.#log = log;
    this.#onChange = onChange;
    claim.on('event', (event, message) => this.#seen(event, message));
    claim.on('problem', (error) => log.warn({ err: error }, 'the claim of the coordinate has a problem'));
  }

  get state(): OwnershipState {
    return this.#state;
  }

  /** What is wrong with it, for people; null: nothing. */
  get problem(): string | null {
    const coordinate = String(this.#claim.coordinate);
    if (this.#state === 'displaced') {
      return (
        `Another agent has claimed ${coordinate}: processes of this host are not looked after. End one of the two, or ` +
        'give it another NODEE_COORDINATE.'
      );
    }
    if (this.#claim.isHeld()) return null;
    if (this.#last === 'NOT_OWNER') return `${coordinate} is claimed by another session; it is waited for.`;
    return `ZooKeeper does not answer, so ${coordinate} may be lost.`;
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#claim.removeAllListeners();
  }

  #seen(event: ClaimEvent, message: string): void {
    this.#log.info({ event, coordinate: String(this.#claim.coordinate) }, message);
    this.#last = event;
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (event === 'COORDINATE_OK') this.#become('owner');
    if (event === 'NOT_OWNER') this.#notOwner();
  }

  #notOwner(): void {
    // It may also be that the coordinate was not created.
    this.#cloudname.ensure(this.#claim.coordinate).catch((error: unknown) => {
      this.#log.warn({ err: error }, 'the coordinate cannot be created');
    });
    if (this.#state !== 'waiting') this.#become('displaced');
    else {
      const ms = SESSIONS_MAX * this.#cloudname.session.timeoutMs + MARGIN_MS;
      this.#timer = setTimeout(() => this.#become('displaced'), ms).unref();
    }
  }

  #become(state: OwnershipState): void {
    if (state === this.#state) return;
    this.#state = state;
    if (state === 'displaced') this.#log.error({}, this.problem!);
    this.#onChange(state);
  }
}
