/** What the commands of `kvitt nodee` have in common. */
import type { KeyObject } from 'node:crypto';
import type { Command } from 'commander';
import type { ArtifactRef } from '../artifacts/artifact.ts';
import type { Cloudname, CloudnameOptions } from '../cloudname/cloudname.ts';
import { clean } from '../resources/text.ts';
import type { AgentClient } from './client.ts';
import type { Place } from './hosts.ts';
import type { HostSeen } from './types.ts';

/** 0: done, and all is as wanted. 1: refused, there is none, or something is not as wanted. 2: it could not run. */
export const EXIT = { ok: 0, refused: 1, unusable: 2 } as const;

export interface ToolSettings {
  readonly cloudname: CloudnameOptions;
  readonly place: Place;
  readonly token: string;
}

/** What is done with artifacts without an agent. */
export interface ArtifactTools {
  /** Writes an archive of the folder. */
  pack(
    folder: string,
    file: string,
    id: string,
  ): Promise<{ readonly ref: ArtifactRef; readonly leftOut: readonly string[] }>;
  /** Of a text in PEM. @throws RangeError */
  readPrivateKey(pem: string): KeyObject;
  /** In Base64. */
  sign(key: KeyObject, ref: Pick<ArtifactRef, 'id' | 'sha256'>): string;
}

export interface ToolParts {
  /** Who uses it, for whoever asks later. */
  actor(): string;
  /** Read when a command runs. @throws Error that says what is missing */
  settings(): ToolSettings;
  /** Runs the agent of this host; resolves when it runs. */
  startAgent(): Promise<void>;
  /** Loaded when they are used. */
  artifacts(): Promise<ArtifactTools>;
}

/** A cell, as a command sees it. */
export interface Fleet {
  readonly cloudname: Cloudname;
  readonly place: Place;
  hosts(): Promise<HostSeen[]>;
  /** Closed when the command has ended. */
  agent(address: string): AgentClient;
}

export type Make = (name: string, description: string) => Command;

/** A command that needs ZooKeeper. */
export interface FleetCommand {
  readonly command: Command;
  /** Answers the exit code. */
  run(fleet: Fleet, given: readonly unknown[], flags: Flags): Promise<number>;
}

export interface Flags {
  readonly json?: boolean;
  readonly watch?: boolean;
  readonly follow?: boolean;
  readonly lines?: number;
  readonly marks?: boolean;
  readonly host?: string;
  readonly id?: string;
  readonly key?: string;
  readonly signature?: string;
  readonly out?: string;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly wait?: boolean;
  /** Seconds. */
  readonly timeout?: number;
}

/** Of a host whose agent can be asked. */
export interface Reachable extends HostSeen {
  readonly address: string;
}

export function isReachable(host: HostSeen): host is Reachable {
  return host.address !== null;
}

/** By the name of the host, or the coordinate of its agent. */
export function nameOf({ report, coordinate }: HostSeen): string {
  return clean(report?.host ?? coordinate);
}

/** @param name Of one, or `all`. @throws Error when there is none of that name that can be reached */
export function chosen(hosts: readonly HostSeen[], name: string): Reachable[] {
  const found = hosts.filter(isReachable).filter((host) => name === 'all' || isCalled(host, name));
  if (found.length > 0) return found;
  const known = hosts.map(nameOf).join(', ') || 'there are none';
  throw new Error(
    name === 'all'
      ? `No agent is running here (known hosts: ${known}). Start one with kvitt nodee agent.`
      : `No agent is running on a host "${name}" (known hosts: ${known}).`,
  );
}

function isCalled(host: HostSeen, name: string): boolean {
  return nameOf(host) === name || host.coordinate === name;
}

export function print(value: unknown, { json }: Flags, text: () => string): void {
  process.stdout.write(json ? `${JSON.stringify(value, null, 2)}\n` : text());
}

/** A line of progress, on standard error. */
export function tell(text: string): void {
  process.stderr.write(`${clean(text)}\n`);
}

export function say(text: string): void {
  process.stderr.write(`kvitt nodee: ${clean(text)}\n`);
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** By a signal, or because nobody reads what it tells any more. */
export function untilEnded(): AbortSignal {
  const ended = new AbortController();
  process.stdout.once('error', () => ended.abort());
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => ended.abort());
  return ended.signal;
}
