import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Place } from '../../../src/mongo/mongod-process.ts';

const run = promisify(execFile);

/** Addresses set aside for tests of networks (RFC 2544): nobody outside of this machine has one. */
const SUBNET = '198.18';
const GATEWAY = 254;
const THIRDS = 250;
/** Of nobody: what is sent to it is lost without a word, as on a cable that was cut. */
const NOWHERE = '02:00:00:00:00:01';
const SLOW = 'rate 2mbit burst 32kbit latency 400ms';

/**
 * Hosts on this machine, each in a network namespace of its own, wired to one switch, and this process with them. Needs
 * Linux, root and iproute2.
 */
export class Network {
  readonly #bridge: string;
  readonly #third: number;

  private constructor(
    readonly hosts: readonly string[],
    third: number,
  ) {
    this.#third = third;
    this.#bridge = `kvt${process.pid}`;
  }

  static async create(hosts: readonly string[]): Promise<Network> {
    const network = new Network(hosts, await freeThird());
    try {
      await network.#build();
    } catch (error) {
      await network.remove();
      throw new Error('network namespaces cannot be made: this needs Linux, root and iproute2', { cause: error });
    }
    return network;
  }

  address(host: string): string {
    return `${SUBNET}.${this.#third}.${1 + this.hosts.indexOf(host)}`;
  }

  /** How to run a program on a host. */
  place(host: string): Place {
    return { host: this.address(host), within: ['ip', 'netns', 'exec', this.#namespace(host)] };
  }

  /** From now on nothing that a host sends to the others arrives; what they send still does. */
  async mute(host: string, towards: readonly string[]): Promise<void> {
    for (const other of towards) {
      await this.#ip(host, `neigh replace ${this.address(other)} lladdr ${NOWHERE} dev eth0 nud permanent`);
    }
  }

  /** Nothing gets from a host to the others, or back. */
  async cut(host: string, others: readonly string[]): Promise<void> {
    await this.mute(host, others);
    for (const other of others) await this.mute(other, [host]);
  }

  /** The link of a host takes 2 Mbit/s, both ways. */
  async slow(host: string): Promise<void> {
    await run('tc', `qdisc add dev ${this.#link(host)} root tbf ${SLOW}`.split(' '));
    await run('ip', `netns exec ${this.#namespace(host)} tc qdisc add dev eth0 root tbf ${SLOW}`.split(' '));
  }

  /** Everybody hears everybody again, at full speed. */
  async heal(): Promise<void> {
    for (const host of this.hosts) {
      for (const other of this.hosts) await this.#ip(host, `neigh del ${this.address(other)} dev eth0`).catch(nothing);
      await run('tc', `qdisc del dev ${this.#link(host)} root`.split(' ')).catch(nothing);
      const inside = `netns exec ${this.#namespace(host)} tc qdisc del dev eth0 root`;
      await run('ip', inside.split(' ')).catch(nothing);
    }
  }

  /** May be called twice. Processes in it must have ended. */
  async remove(): Promise<void> {
    for (const host of this.hosts) await run('ip', ['netns', 'del', this.#namespace(host)]).catch(nothing);
    await run('ip', ['link', 'del', this.#bridge]).catch(nothing);
  }

  async #build(): Promise<void> {
    await run('ip', `link add ${this.#bridge} type bridge`.split(' '));
    await run('ip', `addr add ${SUBNET}.${this.#third}.${GATEWAY}/24 dev ${this.#bridge}`.split(' '));
    await run('ip', `link set ${this.#bridge} up`.split(' '));
    for (const host of this.hosts) {
      const namespace = this.#namespace(host);
      const link = this.#link(host);
      await run('ip', ['netns', 'add', namespace]);
      await run('ip', `link add ${link} type veth peer name eth0 netns ${namespace}`.split(' '));
      await run('ip', `link set ${link} master ${this.#bridge} up`.split(' '));
      await this.#ip(host, `addr add ${this.address(host)}/24 dev eth0`);
      await this.#ip(host, 'link set eth0 up');
      await this.#ip(host, 'link set lo up');
    }
  }

  async #ip(host: string, command: string): Promise<void> {
    await run('ip', ['-n', this.#namespace(host), ...command.split(' ')]);
  }

  #namespace(host: string): string {
    return `kvitt-${process.pid}-${host}`;
  }

  #link(host: string): string {
    return `kvt${process.pid}-${this.hosts.indexOf(host)}`;
  }
}

function nothing(): void {}

/** Of a subnet that no other process has, nor left behind when it was killed: what is sent there would go astray. */
async function freeThird(): Promise<number> {
  const { stdout } = await run('ip', ['-4', '-o', 'addr', 'show']).catch(() => ({ stdout: '' }));
  const isTaken = (third: number) => stdout.includes(` ${SUBNET}.${third}.`);
  let third = 1 + (process.pid % THIRDS);
  for (let tries = 1; tries < THIRDS && isTaken(third); tries++) third = 1 + (third % THIRDS);
  return third;
}
