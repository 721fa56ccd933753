/** The requests and answers of ZooKeeper's client protocol (3.4 and later) that this client uses, in bytes. */
import { createHash } from 'node:crypto';
import { codeOf, MultiError, ZooKeeperError } from './errors.ts';
import { type JuteReader, JuteWriter } from './jute.ts';

export const OPCODE = {
  create: 1,
  delete: 2,
  exists: 3,
  getData: 4,
  setData: 5,
  getAcl: 6,
  setAcl: 7,
  ping: 11,
  getChildren2: 12,
  check: 13,
  multi: 14,
  auth: 100,
  closeSession: -11,
} as const;

/** Of requests that change nothing: to ask them twice is to ask them once. */
export const READS: ReadonlySet<number> = new Set([OPCODE.exists, OPCODE.getData, OPCODE.getAcl, OPCODE.getChildren2]);

/** Answers with these numbers belong to no request that was numbered. */
export const XID = { notification: -1, ping: -2, auth: -4 } as const;

export const ANY_VERSION = -1;

export interface Stat {
  /** Of the transaction that created the node; grows with each transaction of the ensemble. */
  readonly createdZxid: bigint;
  readonly modifiedZxid: bigint;
  /** By the servers' clock, ms since 1970. */
  readonly createdAtMs: number;
  readonly modifiedAtMs: number;
  readonly version: number;
  readonly childrenVersion: number;
  readonly aclVersion: number;
  /** The session that it ends with; 0: none. */
  readonly ephemeralOwner: bigint;
  readonly dataLength: number;
  readonly childrenCount: number;
}

const PERMISSION = { read: 1, write: 2, create: 4, delete: 8, admin: 16, all: 31 } as const;

export interface Acl {
  /** Sum of {@link PERMISSION}s. */
  readonly permissions: number;
  readonly scheme: string;
  readonly id: string;
}

/** Anybody may do anything, as the Java original has it. */
export const OPEN_ACL: readonly Acl[] = [{ permissions: PERMISSION.all, scheme: 'world', id: 'anyone' }];
/** Whoever creates a node may do anything with it, others nothing. Needs `auth`. */
export const CREATOR_ALL_ACL: readonly Acl[] = [{ permissions: PERMISSION.all, scheme: 'auth', id: '' }];
/** Whoever creates a node may do anything with it, others may read it. Needs `auth`. */
export const CREATOR_WRITES_ACL: readonly Acl[] = [
  ...CREATOR_ALL_ACL,
  { permissions: PERMISSION.read, scheme: 'world', id: 'anyone' },
];

/** The id of an ACL of scheme `digest`. */
export function digestId(user: string, password: string): string {
  return `${user}:${createHash('sha1').update(`${user}:${password}`).digest('base64')}`;
}

/** Bits: 1 ephemeral, 2 sequential. */
export const MODE = { persistent: 0, ephemeral: 1, persistentSequential: 2, ephemeralSequential: 3 } as const;
export type Mode = keyof typeof MODE;

export type MultiOperation =
  | {
      readonly type: 'create';
      readonly path: string;
      readonly data: Uint8Array | null;
      readonly mode: Mode;
      readonly acl: readonly Acl[];
    }
  | { readonly type: 'delete'; readonly path: string; readonly version: number }
  | { readonly type: 'setData'; readonly path: string; readonly data: Uint8Array | null; readonly version: number }
  | { readonly type: 'check'; readonly path: string; readonly version: number };

export interface ConnectRequest {
  readonly lastZxid: bigint;
  readonly timeoutMs: number;
  readonly sessionId: bigint;
  readonly password: Buffer;
}

export interface ConnectAnswer {
  /** What the servers granted; 0: the session has expired. */
  readonly timeoutMs: number;
  readonly sessionId: bigint;
  readonly password: Buffer;
}

export function connectRequest({ lastZxid, timeoutMs, sessionId, password }: ConnectRequest): Buffer {
  const writer = new JuteWriter().int(0).long(lastZxid).int(timeoutMs).long(sessionId).bytes(password);
  // No servers that have lost the others: what they know is old.
  return writer.bool(false).result();
}

export function readConnectAnswer(reader: JuteReader): ConnectAnswer {
  reader.int();
  const timeoutMs = reader.int();
  const sessionId = reader.long();
  return { timeoutMs, sessionId, password: reader.bytes() ?? Buffer.alloc(16) };
}

export function authRequest(scheme: string, auth: string): Buffer {
  return new JuteWriter().int(XID.auth).int(OPCODE.auth).int(0).string(scheme).bytes(Buffer.from(auth)).result();
}

/** What a request sends after its number, and how its answer is read. */
export interface Request<T> {
  readonly opcode: number;
  /** For messages. */
  readonly path: string;
  write(writer: JuteWriter): void;
  read(reader: JuteReader): T;
}

const nothing = () => undefined;

export function create(path: string, data: Uint8Array | null, mode: Mode, acl: readonly Acl[]): Request<string> {
  return {
    opcode: OPCODE.create,
    path,
    write: (writer) => writeCreate(writer, path, data, mode, acl),
    read: (reader) => reader.string(),
  };
}

export function remove(path: string, version: number): Request<void> {
  return { opcode: OPCODE.delete, path, write: (writer) => writer.string(path).int(version), read: nothing };
}

export function exists(path: string, watch: boolean): Request<Stat> {
  return { opcode: OPCODE.exists, path, write: (writer) => writer.string(path).bool(watch), read: readStat };
}

export function getData(path: string, watch: boolean): Request<{ data: Buffer | null; stat: Stat }> {
  return {
    opcode: OPCODE.getData,
    path,
    write: (writer) => writer.string(path).bool(watch),
    read: (reader) => ({ data: reader.bytes(), stat: readStat(reader) }),
  };
}

export function setData(path: string, data: Uint8Array | null, version: number): Request<Stat> {
  return {
    opcode: OPCODE.setData,
    path,
    write: (writer) => writer.string(path).bytes(data).int(version),
    read: readStat,
  };
}

export function getChildren(path: string, watch: boolean): Request<{ children: string[]; stat: Stat }> {
  return {
    opcode: OPCODE.getChildren2,
    path,
    write: (writer) => writer.string(path).bool(watch),
    read: (reader) => ({ children: reader.vector(() => reader.string()), stat: readStat(reader) }),
  };
}

export function getAcl(path: string): Request<{ acl: Acl[]; stat: Stat }> {
  return {
    opcode: OPCODE.getAcl,
    path,
    write: (writer) => writer.string(path),
    read: (reader) => ({ acl: reader.vector(() => readAcl(reader)), stat: readStat(reader) }),
  };
}

/**
 * All operations or none. The paths that were created are answered, and null for the other operations. With no
 * operation at all it changes nothing, but is agreed upon by a majority of the servers like any other.
 */
export function multi(operations: readonly MultiOperation[]): Request<(string | null)[]> {
  return {
    opcode: OPCODE.multi,
    path: operations[0]?.path ?? '/',
    write: (writer) => {
      for (const operation of operations) {
        writer.int(OPCODE[operation.type]).bool(false).int(-1);
        writeOperation(writer, operation);
      }
      writer.int(-1).bool(true).int(-1);
    },
    read: (reader) => readMulti(reader, operations),
  };
}

function writeOperation(writer: JuteWriter, operation: MultiOperation): void {
  switch (operation.type) {
    case 'create':
      writeCreate(writer, operation.path, operation.data, operation.mode, operation.acl);
      return;
    case 'setData':
      writer.string(operation.path).bytes(operation.data).int(operation.version);
      return;
    case 'delete':
    case 'check':
      writer.string(operation.path).int(operation.version);
  }
}

function readMulti(reader: JuteReader, operations: readonly MultiOperation[]): (string | null)[] {
  const created: (string | null)[] = [];
  let refused: MultiError | null = null;
  for (let index = 0; ; index++) {
    const opcode = reader.int();
    const isLast = reader.bool();
    const error = reader.int();
    if (isLast) break;
    let path: string | null = null;
    if (opcode === -1) {
      const code = reader.int();
      // The others fail with 0 or `runtime_inconsistency`, as they were not tried.
      if (code !== 0 && code !== -2) refused ??= new MultiError(codeOf(code), index, operations[index]?.path ?? '?');
    } else if (opcode === OPCODE.create) path = reader.string();
    else if (opcode === OPCODE.setData) readStat(reader);
    else if (opcode !== OPCODE.delete && opcode !== OPCODE.check) {
      throw new ZooKeeperError(
        'marshalling_error',
        `a multi was answered with operation ${opcode}, error ${error}`,
        true,
      );
    }
    created.push(path);
  }
  if (refused !== null) throw refused;
  return created;
}

function writeCreate(writer: JuteWriter, path: string, data: Uint8Array | null, mode: Mode, acl: readonly Acl[]): void {
  writer
    .string(path)
    .bytes(data)
    .vector(acl, ({ permissions, scheme, id }) => writer.int(permissions).string(scheme).string(id))
    .int(MODE[mode]);
}

function readAcl(reader: JuteReader): Acl {
  return { permissions: reader.int(), scheme: reader.string(), id: reader.string() };
}

function readStat(reader: JuteReader): Stat {
  const createdZxid = reader.long();
  const modifiedZxid = reader.long();
  const createdAtMs = Number(reader.long());
  const modifiedAtMs = Number(reader.long());
  const version = reader.int();
  const childrenVersion = reader.int();
  const aclVersion = reader.int();
  const ephemeralOwner = reader.long();
  const dataLength = reader.int();
  const childrenCount = reader.int();
  reader.long();
  return {
    createdZxid,
    modifiedZxid,
    createdAtMs,
    modifiedAtMs,
    version,
    childrenVersion,
    aclVersion,
    ephemeralOwner,
    dataLength,
    childrenCount,
  };
}

const EVENT_TYPES = { 1: 'created', 2: 'deleted', 3: 'changed', 4: 'children' } as const;

export interface WatchEvent {
  readonly type: (typeof EVENT_TYPES)[keyof typeof EVENT_TYPES];
  readonly path: string;
}

/** Null: of a kind that this client does not ask for. */
export function readWatchEvent(reader: JuteReader): WatchEvent | null {
  const type = (EVENT_TYPES as Record<number, WatchEvent['type']>)[reader.int()];
  reader.int();
  const path = reader.string();
  return type === undefined ? null : { type, path };
}
