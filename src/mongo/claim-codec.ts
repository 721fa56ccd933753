import type { Claim, ClaimedCommand } from '../ledger/ports.ts';
import type { Command, CommandKind } from '../ledger/types.ts';
import { type DetailsFields, decodeDetails, type LegDocument, writeDetails, writeLegs } from './block-codec.ts';
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
}

export const BUCKET = 0;

const F = {
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
} as const;
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
    w.end(one);
  }
  w.end(commands);
  w.string(F.state, claim.state);
  w.string(F.owner, claim.owner);
  w.date(F.at, claim.at);
  w.end(start);
  return w.bytes();
}

function decodeCommand(key: string, document: ClaimedCommandDocument): Command {
  const { id, fingerprint, kind, legs } = document;
  return { id, key, fingerprint, kind, legs, details: decodeDetails(document) };
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
