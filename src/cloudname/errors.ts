export type CloudnameErrorCode =
  /** The text is no coordinate, expression, name or status. */
  | 'malformed'
  | 'coordinate_exists'
  | 'coordinate_missing'
  | 'coordinate_claimed'
  /** Something stands below a coordinate's configuration that is not Cloudname's. */
  | 'coordinate_not_empty'
  | 'not_claimed'
  /** The configuration is not what the caller took it for. */
  | 'config_conflict'
  | 'service_missing'
  | 'unknown_strategy'
  /** The claim or lock is held by somebody else, or was lost. */
  | 'not_owner'
  | 'endpoint_missing'
  | 'too_large'
  /** Others changed the same nodes each time that this was tried. */
  | 'busy';

export class CloudnameError extends Error {
  override readonly name = 'CloudnameError';
  constructor(
    readonly code: CloudnameErrorCode,
    message: string,
  ) {
    super(message);
  }
}

export function isCloudnameError(error: unknown, code: CloudnameErrorCode): error is CloudnameError {
  return error instanceof CloudnameError && error.code === code;
}
