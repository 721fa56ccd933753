import { CloudnameError } from './errors.ts';

const NAME = '[a-z][a-z0-9_-]*';
const COORDINATE = new RegExp(`^([0-9]+)\\.(${NAME})\\.(${NAME})\\.(${NAME})$`);
const NAME_ONLY = new RegExp(`^${NAME}$`);
const INSTANCE_MAX = 2_147_483_647;

export const ROOT = '/cn';

/** A service of a user in a cell. */
export interface ServiceName {
  readonly service: string;
  readonly user: string;
  readonly cell: string;
}

/** One instance of a service, wherever it runs: `instance.service.user.cell`. */
export class Coordinate implements ServiceName {
  /** @throws CloudnameError `malformed` */
  constructor(
    /** 0 to 2147483647. */
    readonly instance: number,
    readonly service: string,
    readonly user: string,
    readonly cell: string,
  ) {
    const isRight = isInstance(instance) && [service, user, cell].every((name) => NAME_ONLY.test(name));
    if (!isRight) throw malformed(`${instance}.${service}.${user}.${cell}`);
  }

  /** @throws CloudnameError `malformed` */
  static parse(text: string): Coordinate {
    const match = COORDINATE.exec(text);
    if (match === null) throw malformed(text);
    return new Coordinate(Number(match[1]), match[2]!, match[3]!, match[4]!);
  }

  /** Where it stands in ZooKeeper. */
  get path(): string {
    return `${servicePath(this)}/${this.instance}`;
  }

  get statusPath(): string {
    return `${this.path}/status`;
  }

  get configPath(): string {
    return `${this.path}/config`;
  }

  toString(): string {
    return `${this.instance}.${this.service}.${this.user}.${this.cell}`;
  }
}

export function servicePath({ cell, user, service }: ServiceName): string {
  return `${ROOT}/${cell}/${user}/${service}`;
}

export function isInstance(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= INSTANCE_MAX;
}

export function isName(text: string): boolean {
  return NAME_ONLY.test(text);
}

/** `service.user.cell`. @throws CloudnameError `malformed` */
export function parseServiceName(text: string): ServiceName {
  const [service, user, cell, ...rest] = text.split('.');
  const isRight = rest.length === 0 && [service, user, cell].every((name) => name !== undefined && isName(name));
  if (!isRight) throw new CloudnameError('malformed', `"${text}" is not a service: write service.user.cell`);
  return { service: service!, user: user!, cell: cell! };
}

function malformed(text: string): CloudnameError {
  return new CloudnameError(
    'malformed',
    `"${text}" is not a coordinate: write instance.service.user.cell, such as 1.web.pay.oslo, with an instance from 0 ` +
      `to ${INSTANCE_MAX} and names of a-z, 0-9, - and _ that begin with a letter`,
  );
}
