/** What a claimed coordinate's `status` node holds: two JSON values, as the Java original writes and reads them. */
import { Coordinate } from './coordinate.ts';
import { CloudnameError } from './errors.ts';
import { readFirst, writeString } from './json.ts';

/** In the order of the original: a number stands for the state at its place. */
export const SERVICE_STATES = ['UNASSIGNED', 'STARTING', 'RUNNING', 'DRAINING', 'ERROR'] as const;
export type ServiceState = (typeof SERVICE_STATES)[number];

export interface ServiceStatus {
  readonly state: ServiceState | null;
  readonly message: string | null;
}

export const FRESH_STATUS: ServiceStatus = { state: 'UNASSIGNED', message: 'No service state has been assigned' };

export interface Endpoint {
  /** Null: whoever published it did not say. */
  readonly coordinate: Coordinate | null;
  readonly name: string | null;
  readonly host: string | null;
  readonly port: number;
  readonly protocol: string | null;
  /** Free text. */
  readonly endpointData: string | null;
}

/** Of an endpoint: `protocol://host:port`. */
export function addressOf({ protocol, host, port }: Pick<Endpoint, 'protocol' | 'host' | 'port'>): string {
  return `${protocol}://${host?.includes(':') ? `[${host}]` : host}:${port}`;
}

export interface StatusNode {
  readonly status: ServiceStatus;
  /** By name, in the order of the node. A null can be read by the original, but not used. */
  readonly endpoints: ReadonlyMap<string, Endpoint | null>;
}

export function encodeStatus({ status, endpoints }: StatusNode): Buffer {
  const { state, message } = status;
  const inner = `{"state":${orNull(state)},"message":${orNull(message)}}`;
  const entries = javaHashOrder([...endpoints.keys()]).map((name) => {
    const endpoint = endpoints.get(name) ?? null;
    return `${writeString(name)}:${endpoint === null ? 'null' : encodeEndpoint(endpoint)}`;
  });
  return Buffer.from(`${writeString(inner)} {${entries.join(',')}}`);
}

function encodeEndpoint({ coordinate, name, host, port, protocol, endpointData }: Endpoint): string {
  const where = coordinate === null ? 'null' : encodeCoordinate(coordinate);
  return (
    `{"coordinate":${where},"name":${orNull(name)},"host":${orNull(host)},"port":${port},` +
    `"protocol":${orNull(protocol)},"endpointData":${orNull(endpointData)}}`
  );
}

export function encodeCoordinate({ instance, service, user, cell }: Coordinate): string {
  return `{"instance":${instance},"service":"${service}","user":"${user}","cell":"${cell}"}`;
}

function orNull(text: string | null): string {
  return text === null ? 'null' : writeString(text);
}

/**
 * The order in which a `java.util.HashMap` of the names goes through them, which is the order that the original
 * writes: by the low bits of the hash, and as put within one place of the table.
 */
function javaHashOrder(names: readonly string[]): string[] {
  let places = 16;
  while (names.length > places * 0.75) places *= 2;
  const placeOf = (name: string) => {
    let hash = 0;
    for (let at = 0; at < name.length; at++) hash = (Math.imul(31, hash) + name.charCodeAt(at)) | 0;
    return (hash ^ (hash >>> 16)) & (places - 1);
  };
  return names
    .map((name, index) => ({ name, index, place: placeOf(name) }))
    .sort((a, b) => a.place - b.place || a.index - b.index)
    .map(({ name }) => name);
}

/** @throws CloudnameError `malformed`, for what the original cannot read either */
export function decodeStatus(data: Uint8Array | null): StatusNode {
  // As Java does: broken characters are replaced, and a byte order mark is no space.
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(data ?? new Uint8Array());
  try {
    const { value, end } = readFirst(text);
    const status = decodeServiceStatus(readFirst(asString(value, 'the status') ?? '').value);
    return { status, endpoints: decodeEndpoints(readFirst(text, end).value) };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CloudnameError('malformed', `this is not the status of a coordinate: ${why}`);
  }
}

function decodeServiceStatus(value: unknown): ServiceStatus {
  const { state, message } = fieldsOf(value, ['state', 'message'], 'the status');
  return { state: asState(state), message: asString(message, 'message') };
}

function decodeEndpoints(value: unknown): Map<string, Endpoint | null> {
  if (!isObject(value)) throw new TypeError('the endpoints are not an object');
  const entries = Object.entries(value);
  return new Map(entries.map(([name, endpoint]) => [name, endpoint === null ? null : decodeEndpoint(endpoint)]));
}

function decodeEndpoint(value: unknown): Endpoint {
  const names = ['coordinate', 'name', 'host', 'port', 'protocol', 'endpointData'] as const;
  const fields = fieldsOf(value, names, 'an endpoint');
  return {
    coordinate: fields.coordinate == null ? null : decodeCoordinate(fields.coordinate),
    name: asString(fields.name, 'name'),
    host: asString(fields.host, 'host'),
    port: asInt(fields.port, 'port'),
    protocol: asString(fields.protocol, 'protocol'),
    endpointData: asString(fields.endpointData, 'endpointData'),
  };
}

function decodeCoordinate(value: unknown): Coordinate {
  const fields = fieldsOf(value, ['instance', 'service', 'user', 'cell'], 'a coordinate');
  const name = (field: 'service' | 'user' | 'cell') => asString(fields[field], field) ?? 'null is no name';
  return new Coordinate(asInt(fields.instance, 'instance'), name('service'), name('user'), name('cell'));
}

function fieldsOf<Name extends string>(value: unknown, names: readonly Name[], what: string) {
  if (!isObject(value)) throw new TypeError(`${what} is not an object`);
  const unknown = Object.keys(value).find((name) => !(names as readonly string[]).includes(name));
  if (unknown !== undefined) throw new TypeError(`${what} has an unknown field "${unknown}"`);
  return value as Partial<Record<Name, unknown>>;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function asState(value: unknown): ServiceState | null {
  if (value == null) return null;
  const isNumber = typeof value === 'number' || (typeof value === 'string' && /^\d{1,9}$/.test(value));
  const state = isNumber ? SERVICE_STATES[Number(value)] : SERVICE_STATES.find((name) => name === value);
  if (state === undefined) throw new TypeError(`there is no state ${JSON.stringify(value)}`);
  return state;
}

/** Any scalar is a string to Jackson. */
function asString(value: unknown, what: string): string | null {
  if (value == null) return null;
  if (typeof value === 'object') throw new TypeError(`${what} is not a string`);
  return String(value);
}

/** Numbers lose their fraction, digits in a string count, null and nothing are 0. */
function asInt(value: unknown, what: string): number {
  if (value == null) return 0;
  const text = typeof value === 'string' ? value.trim() : null;
  if (text === '') return 0;
  const isNumber = typeof value === 'number' || (text !== null && /^[+-]?\d+$/.test(text));
  const number = isNumber ? Math.trunc(Number(value)) : Number.NaN;
  if (!(number >= -2_147_483_648 && number <= 2_147_483_647)) throw new TypeError(`${what} is not a whole number`);
  return number;
}
