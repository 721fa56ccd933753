/**
 * What ZooKeeper answers, and what can happen on the way to it. The names and numbers are those of its own
 * `KeeperException.Code`.
 */
const CODES = {
  '-1': 'system_error',
  '-2': 'runtime_inconsistency',
  '-3': 'data_inconsistency',
  '-4': 'connection_loss',
  '-5': 'marshalling_error',
  '-6': 'unimplemented',
  '-7': 'operation_timeout',
  '-8': 'bad_arguments',
  '-100': 'api_error',
  '-101': 'no_node',
  '-102': 'no_auth',
  '-103': 'bad_version',
  '-108': 'no_children_for_ephemerals',
  '-110': 'node_exists',
  '-111': 'not_empty',
  '-112': 'session_expired',
  '-113': 'invalid_callback',
  '-114': 'invalid_acl',
  '-115': 'auth_failed',
  '-118': 'session_moved',
  '-119': 'not_read_only',
  '-120': 'ephemeral_on_local_session',
  '-121': 'no_watcher',
  '-122': 'request_timeout',
  '-124': 'session_closed_require_sasl_auth',
  '-125': 'quota_exceeded',
  '-127': 'throttled',
} as const;

export type ZooKeeperErrorCode =
  | (typeof CODES)[keyof typeof CODES]
  /** A code that this client does not know. */
  | 'unknown_code'
  /** Not one of ZooKeeper's: the session was closed here, or more requests wait than may. */
  | 'closed'
  | 'too_many_requests';

export class ZooKeeperError extends Error {
  override readonly name: string = 'ZooKeeperError';
  constructor(
    readonly code: ZooKeeperErrorCode,
    message: string,
    /** May the servers have carried out the request all the same? */
    readonly outcomeUnknown = false,
  ) {
    super(message);
  }
}

/** One operation of a `multi` was refused; none was carried out. */
export class MultiError extends ZooKeeperError {
  override readonly name = 'MultiError';
  constructor(
    code: ZooKeeperErrorCode,
    /** Of the operation that was refused, from 0. */
    readonly index: number,
    path: string,
  ) {
    super(code, `operation ${index} of a multi, on ${path}: ${code}`);
  }
}

export function codeOf(number: number): ZooKeeperErrorCode {
  return (CODES as Record<string, ZooKeeperErrorCode>)[String(number)] ?? 'unknown_code';
}

export function isZooKeeperError(error: unknown, code: ZooKeeperErrorCode): error is ZooKeeperError {
  return error instanceof ZooKeeperError && error.code === code;
}

const PASSING: ReadonlySet<ZooKeeperErrorCode> = new Set([
  'connection_loss',
  'session_moved',
  'too_many_requests',
  'throttled',
  'operation_timeout',
  'request_timeout',
]);

/** No answer, or one that says nothing of what was asked for: to be asked again. */
export function isPassing(error: unknown): error is ZooKeeperError {
  return error instanceof ZooKeeperError && PASSING.has(error.code);
}

/** The connection broke before an answer: to be asked again once there is one. */
export function isConnectionLoss(error: unknown): error is ZooKeeperError {
  return error instanceof ZooKeeperError && (error.code === 'connection_loss' || error.code === 'session_moved');
}
