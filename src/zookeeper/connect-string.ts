export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

export interface ConnectString {
  readonly servers: readonly ServerAddress[];
  /** Stands before every path; empty: none. */
  readonly chroot: string;
}

const PORT_DEFAULT = 2181;
const SERVER = /^(\[[0-9a-fA-F:.%]+\]|[^\s:[\]/,]+)(?::(\d{1,5}))?$/;
const CHROOT = /^(\/[^/\s]+)+$/;

/** As ZooKeeper has it: `host:port,host:port/path`. @throws TypeError that says what is wrong */
export function parseConnectString(text: string): ConnectString {
  const slash = text.indexOf('/');
  const hosts = slash < 0 ? text : text.slice(0, slash);
  const chroot = slash < 0 || slash === text.length - 1 ? '' : text.slice(slash);
  if (chroot !== '' && !CHROOT.test(chroot)) throw new TypeError(`"${chroot}" is not a path of ZooKeeper`);
  const servers = hosts.split(',').map((server) => parseServer(server.trim()));
  return { servers, chroot };
}

function parseServer(text: string): ServerAddress {
  const match = SERVER.exec(text);
  const port = Number(match?.[2] ?? PORT_DEFAULT);
  if (match === null || port < 1 || port > 65_535) {
    throw new TypeError(`"${text}" is not a ZooKeeper server: write host:port,host:port/path`);
  }
  return { host: match[1]!.replace(/^\[|\]$/g, ''), port };
}
