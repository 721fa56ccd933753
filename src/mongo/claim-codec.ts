import type { Claim, ClaimedCommand } from '../ledger/ports.ts';
import type { AccountChange, AccountStatus, Command, CommandKind, Follows } from '../ledger/types.ts';
import {
  type DetailsFields,
  decodeDetails,
  decodeSettlement,
  type LegDocument,
  type SettlementDocument,
  writeDetails,
  writeLegs,
  writeSettlement,
} from './block-codec.ts';
import { BsonWriter, field, positions } from './bson-writer.ts';

/**
 * A claim as a document: `{_id, bucket, keys: [...], commands: [{id, fingerprint, kind, legs, ...}], state, owner, at}`.
 * `keys[i]` belongs to `commands[i]`: it stands only once.
 */
export interface ClaimDocument {
  _id: string;
  /** Prefix of the unique index, so that the collection can be sharded. */
  bucket: number;
  keys: string[];
  commands: ClaimedCommandDocument[];
  state: Claim['state'];
  owner: string;
  at: Date;
}

export interface ClaimedCommandDocument extends DetailsFields {
  id: string;
  fingerprint: string;
  kind: CommandKind;
  legs: LegDocument[];
  /** A date: when it ends. False: never. */
  hold?: Date | false;
  follows?: { book: number; amount: bigint; isLast?: boolean; origin: SettlementDocument };
  /** What is to be changed; a limit of false: none from now on. */
  change?: { account: string; status?: AccountStatus; min?: bigint | false; max?: bigint | false };
}

export const BUCKET = 0;

/** The headers of a claim's fields. */
export const CLAIM_FIELDS = {
  _id: field('string', '_id'),
  bucket: field('int32', 'bucket'),
  keys: field('array', 'keys'),
  commands: field('array', 'commands'),
  id: field('string', 'id'),
  fingerprint: field('string', 'fingerprint'),
  kind: field('string', 'kind'),
  state: field('string', 'state'),
  owner: field('string', 'owner'),
  at: field('date', 'at'),
  holdUntil: field('date', 'hold'),
  holdForEver: field('boolean', 'hold'),
  follows: field('document', 'follows'),
  book: field('int32', 'book'),
  amount: field('int64', 'amount'),
  isLast: field('boolean', 'isLast'),
  origin: field('document', 'origin'),
  change: field('document', 'change'),
  account: field('string', 'account'),
  status: field('string', 'status'),
  min: field('int64', 'min'),
  noMin: field('boolean', 'min'),
  max: field('int64', 'max'),
  noMax: field('boolean', 'max'),
} as const;
const F = CLAIM_FIELDS;
const documentAt = positions('document');
const stringAt = positions('string');

const writer = new BsonWriter();

export function encodeClaim(claim: Claim): Buffer {
  const w = writer;
  const start = w.begin();
  w.string(F._id, claim.id);
  w.int32(F.bucket, BUCKET);
  const keys = w.open(F.keys);
  for (let i = 0; i < claim.commands.length; i++) w.string(stringAt(i), claim.commands[i]!.key);
  w.end(keys);
  const commands = w.open(F.commands);
  for (let i = 0; i < claim.commands.length; i++) {
    const command = claim.commands[i]!;
    const one = w.open(documentAt(i));
    w.string(F.id, command.id);
    w.string(F.fingerprint, command.fingerprint);
    w.string(F.kind, command.kind);
    writeLegs(w, command.legs);
    writeDetails(w, command.details);
    if (command.hold) writeHold(w, command.hold);
    if (command.follows) writeFollows(w, command.follows);
    if (command.change) writeChange(w, command.change);
    w.end(one);
  }
  w.end(commands);
  w.string(F.state, claim.state);
  w.string(F.owner, claim.owner);
  w.date(F.at, claim.at);
  w.end(start);
  return w.bytes();
}

function writeHold(w: BsonWriter, { expiresAt }: NonNullable<Command['hold']>): void {
  if (expiresAt === null) w.boolean(F.holdForEver, false);
  else w.date(F.holdUntil, expiresAt);
}

function writeFollows(w: BsonWriter, { book, amount, isLast, origin }: Follows): void {
  const start = w.open(F.follows);
  w.int32(F.book, book);
  w.int64(F.amount, amount);
  if (isLast !== undefined) w.boolean(F.isLast, isLast);
  writeSettlement(w, F.origin, origin);
  w.end(start);
}

function writeChange(w: BsonWriter, change: AccountChange): void {
  const { account, status, minBalance, maxBalance } = change;
  const start = w.open(F.change);
  w.string(F.account, account);
  if (status !== undefined) w.string(F.status, status);
  if (minBalance === null) w.boolean(F.noMin, false);
  else if (minBalance !== undefined) w.int64(F.min, minBalance);
  if (maxBalance === null) w.boolean(F.noMax, false);
  else if (maxBalance !== undefined) w.int64(F.max, maxBalance);
  w.end(start);
}

function decodeCommand(key: string, document: ClaimedCommandDocument): Command {
  const { id, fingerprint, kind, legs, hold, follows, change } = document;
  return {
    id,
    key,
    fingerprint,
    kind,
    legs,
    details: decodeDetails(document),
    ...(hold === undefined ? {} : { hold: { expiresAt: hold === false ? null : hold.getTime() } }),
    ...(follows ? { follows: { ...follows, origin: decodeSettlement(follows.origin) } } : {}),
    ...(change ? { change: decodeChange(change) } : {}),
  };
}

function decodeChange({ account, status, min, max }: NonNullable<ClaimedCommandDocument['change']>): AccountChange {
  return {
    account,
    ...(status === undefined ? {} : { status }),
    ...(min === undefined ? {} : { minBalance: min === false ? null : min }),
    ...(max === undefined ? {} : { maxBalance: max === false ? null : max }),
  };
}

export function decodeClaim(document: ClaimDocument): Claim {
  const { _id, owner, at, state, keys, commands } = document;
  return {
    id: _id,
    owner,
    at: at.getTime(),
    state,
    commands: commands.map((command, i) => decodeCommand(keys[i]!, command)),
  };
}

/** Those commands of a claim whose keys are asked for. */
export function decodeClaimed(document: ClaimDocument, wanted: ReadonlySet<string>): ClaimedCommand[] {
  const { _id, owner, at, state, keys, commands } = document;
  const found: ClaimedCommand[] = [];
  for (let i = 0; i < keys.length; i++) {
    if (!wanted.has(keys[i]!)) continue;
    found.push({ claimId: _id, owner, at: at.getTime(), state, command: decodeCommand(keys[i]!, commands[i]!) });
  }
  return found;
}
