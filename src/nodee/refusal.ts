/** What an agent answers when it does not do what it is asked. */
import { ArtifactError, type ArtifactErrorCode } from '../artifacts/artifact.ts';

const STATUS = {
  malformed: 400,
  unauthorized: 401,
  unknown: 404,
  missing: 404,
  in_use: 409,
  conflict: 409,
  too_large: 413,
  range: 416,
  untrusted: 422,
  unacceptable: 422,
  failed: 500,
  unavailable: 502,
  /** As many do it already as may; or nobody may now. */
  busy: 503,
  not_owner: 503,
} as const satisfies Record<ArtifactErrorCode | string, number>;

type RefusalCode = keyof typeof STATUS;

export class Refusal extends Error {
  override readonly name = 'Refusal';

  constructor(
    readonly code: RefusalCode,
    message: string,
  ) {
    super(message);
  }

  get status(): number {
    return STATUS[this.code];
  }
}

export function toRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof ArtifactError) return new Refusal(error.code, error.message);
  const { statusCode, message } = error as Error & { statusCode?: number };
  // The framework's own, of requests that it cannot read.
  if (statusCode !== undefined && statusCode < 500) return new Refusal('malformed', message);
  return new Refusal('failed', 'it failed for a reason that the log of the agent tells');
}
