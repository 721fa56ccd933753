/** Who asks for commands, as it is written into their keys: `<client>/<key>`. */
import { randomUUID } from 'node:crypto';
import { uuidv7 } from 'uuidv7';
import { requestOf } from './ids.ts';

/** No API key has these names. */
export const SQS_CLIENT = 'sqs';
export const EXPIRY_CLIENT = 'kvitt:expiry';

const REQUEST = /^req_([0-9a-f-]{36})$/;
const NO_KEY = 'none:';

/** For what was asked for without a key. */
export function keyOfItsOwn(): string {
  return `${NO_KEY}${randomUUID()}`;
}

/**
 * The id of a new command. One that a request of its own asks for shares its UUID, and so does all that is made of the
 * command: each leads to the other without being written down.
 */
export function commandId(requestId: string | undefined): string {
  return `txn_${REQUEST.exec(requestId ?? '')?.[1] ?? uuidv7()}`;
}

/** What asked for a command. */
export interface AskedBy {
  /** Null: no request to the API. */
  readonly requestId: string | null;
  /** As its caller knows it; null: it had none. */
  readonly idempotencyKey: string | null;
}

/** Of the command with this id and key. */
export function askedBy(id: string, key: string): AskedBy {
  const slash = key.indexOf('/');
  const [client, own] = [key.slice(0, slash), key.slice(slash + 1)];
  if (client === EXPIRY_CLIENT) return { requestId: null, idempotencyKey: null };
  const requestId = client === SQS_CLIENT ? null : requestOf(id);
  return { requestId, idempotencyKey: own.startsWith(NO_KEY) ? null : own };
}
