import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { type Command, InvalidArgumentError } from 'commander';
import { type ArtifactRef, artifactId } from '../artifacts/artifact.ts';
import { clean, table } from '../resources/text.ts';
import { AgentError } from './client.ts';
import {
  chosen,
  EXIT,
  type Flags,
  type Fleet,
  type FleetCommand,
  type Make,
  messageOf,
  nameOf,
  print,
  type Reachable,
  say,
  type ToolParts,
} from './tool-parts.ts';

type Tools = ToolParts['artifacts'];

export function artifactCommands(make: Make, tools: Tools): FleetCommand[] {
  const host = ['--host <name>', 'on this host, or its agent’s coordinate; all: on each that is up', 'all'] as const;
  return [
    {
      command: make('artifacts', 'which hosts have which artifacts').option(...host),
      run: (fleet, _, flags) => listArtifacts(fleet, flags),
    },
    {
      command: identified(make('push <file>', 'give an archive to agents'))
        .option(...host)
        .option('--signature <base64>', 'made by kvitt nodee pack')
        .option('--key <file>', 'sign it with this private key (PEM)'),
      run: (fleet, [file], flags) => push(fleet, file as string, flags, tools),
    },
    {
      command: make('uninstall <id>', 'remove an artifact that nothing uses')
        .requiredOption('--yes', 'it has to be fetched again for whoever needs it')
        .option(...host),
      run: (fleet, [id], flags) => {
        const uninstalled = identity(id as string);
        return each(fleet, flags, `removed ${uninstalled}`, ({ address }) =>
          fleet.agent(address).uninstall(uninstalled),
        );
      },
    },
    {
      command: make('collect', 'remove versions that nothing uses, but the latest ones').option(...host),
      run: async (fleet, _, flags) => {
        const hosts = chosen(await fleet.hosts(), flags.host!);
        const { answers, hasFailed } = await ask(hosts, async (host) => {
          return { host: nameOf(host), removed: await fleet.agent(host.address).collect() };
        });
        print(answers, flags, () =>
          answers.map(({ host, removed }) => `${host}: removed ${clean(removed.join(', ')) || 'nothing'}\n`).join(''),
        );
        return hasFailed ? EXIT.refused : EXIT.ok;
      },
    },
  ];
}

/** Commands that need neither ZooKeeper nor an agent. Each answers its exit code. */
export function localCommands(make: Make, tools: Tools) {
  return [
    {
      command: identified(make('pack <folder>', 'make an archive of a folder, and say how it is specified'))
        .requiredOption('--out <file>', 'the archive, a .tar.gz')
        .option('--key <file>', 'sign it with this private key (PEM)'),
      run: ([folder]: readonly unknown[], flags: Flags) => pack(folder as string, flags, tools),
    },
    {
      command: make('keygen <name>', 'make a pair of keys: <name>.pem signs artifacts, agents trust <name>.pub.pem'),
      run: ([name]: readonly unknown[], flags: Flags) => keygen(name as string, flags),
    },
  ];
}

function identified(command: Command): Command {
  return command.requiredOption('--id <group:name:version>', 'what it is called', identity);
}

function identity(text: string): string {
  const parsed = artifactId.safeParse(text);
  if (parsed.success) return parsed.data;
  throw new InvalidArgumentError(`It ${parsed.error.issues[0]!.message}.`);
}

async function listArtifacts(fleet: Fleet, flags: Flags): Promise<number> {
  const hosts = chosen(await fleet.hosts(), flags.host!);
  const { answers, hasFailed } = await ask(hosts, async (host) => {
    const { artifacts } = await fleet.agent(host.address).artifacts();
    return artifacts.map((artifact) => ({ host: nameOf(host), ...artifact }));
  });
  const found = answers.flat();
  print(found, flags, () => {
    const rows = found.map(({ host, id, bytes, sha256, installed_at, held }) => [
      ...[id, host, String(bytes), sha256.slice(0, 12), installed_at, held ? 'yes' : 'no'],
    ]);
    return table(['artifact', 'host', 'bytes', 'sha256', 'installed', 'in use'], rows, 'llrlll');
  });
  return hasFailed ? EXIT.refused : EXIT.ok;
}

async function push(fleet: Fleet, file: string, flags: Flags, tools: Tools): Promise<number> {
  if (flags.key !== undefined && flags.signature !== undefined) throw new Error('give --key or --signature, not both');
  const { size } = await sizeOf(file);
  const unsigned = { id: flags.id!, sha256: await digestOf(file) };
  const ref =
    flags.signature === undefined ? await signed(unsigned, flags, tools) : { ...unsigned, signature: flags.signature };
  return each(fleet, flags, `has ${ref.id} (sha256 ${ref.sha256})`, async ({ address }) => {
    const agent = fleet.agent(address);
    const { artifacts } = await agent.artifacts();
    // Asked first: an agent that refuses an upload does not wait for its end, and may then not be heard.
    if (artifacts.some(({ id, sha256 }) => id === ref.id && sha256 === ref.sha256)) return;
    try {
      await agent.upload(ref, Readable.from(sending(file, size), { objectMode: false }), size);
    } finally {
      if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
    }
  });
}

async function sizeOf(file: string): Promise<{ size: number }> {
  const found = await stat(file);
  if (found.isFile()) return found;
  throw new Error(`${file} is no archive; kvitt nodee pack makes one of a folder`);
}

/** The parts of an archive; says on a terminal how much of it was sent. */
async function* sending(file: string, size: number): AsyncGenerator<Buffer> {
  const show = (text: string) => process.stderr.isTTY && process.stderr.write(`\r${text}\x1b[K`);
  let bytes = 0;
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    show(`sending: ${Math.floor((100 * bytes) / size)}%`);
    yield chunk;
  }
  show('sent: it is being checked and unpacked');
}

async function pack(folder: string, flags: Flags, tools: Tools): Promise<number> {
  const { pack: packed } = await tools();
  // Before the work, which may take long: a key that cannot be read would make it vain.
  if (flags.key !== undefined) await privateKey(flags.key, tools);
  const { ref: unsigned, leftOut } = await packed(folder, flags.out!, flags.id!);
  for (const path of leftOut) say(`left out, as it is a link: ${path}`);
  const ref = await signed(unsigned, flags, tools);
  print(ref, flags, () => {
    const lines = Object.entries(ref).map(([name, value]) => `  ${name}: ${JSON.stringify(value)}\n`);
    return `artifact:\n${lines.join('')}`;
  });
  return EXIT.ok;
}

async function signed(ref: ArtifactRef, { key }: Flags, tools: Tools): Promise<ArtifactRef> {
  if (key === undefined) return ref;
  const { sign } = await tools();
  return { ...ref, signature: sign(await privateKey(key, tools), ref) };
}

async function privateKey(file: string, tools: Tools): Promise<KeyObject> {
  const { readPrivateKey } = await tools();
  try {
    return readPrivateKey(await readFile(file, 'utf8'));
  } catch (error) {
    throw new Error(`${file} cannot be used to sign: ${messageOf(error)}; kvitt nodee keygen makes a pair of keys`);
  }
}

async function keygen(name: string, flags: Flags): Promise<number> {
  const files = { private: `${name}.pem`, public: `${name}.pub.pem` };
  const { privateKey: secret, publicKey } = generateKeyPairSync('ed25519');
  try {
    await writeFile(files.private, secret.export({ type: 'pkcs8', format: 'pem' }), { flag: 'wx', mode: 0o600 });
    await writeFile(files.public, publicKey.export({ type: 'spki', format: 'pem' }), { flag: 'wx', mode: 0o644 }).catch(
      async (error: unknown) => {
        // Half a pair is of no use, and would be in the way.
        await rm(files.private);
        throw error;
      },
    );
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    say(`${(error as NodeJS.ErrnoException).path} is there already, and is not overwritten`);
    return EXIT.refused;
  }
  print(files, flags, () => `${files.private} signs: keep it secret\n${files.public} goes into NODEE_TRUSTED_KEYS\n`);
  return EXIT.ok;
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** Does it on one host after the other; goes on after one that refused, and says so. */
async function each(
  fleet: Fleet,
  flags: Flags,
  done: string,
  act: (host: Reachable) => Promise<void>,
): Promise<number> {
  const hosts = chosen(await fleet.hosts(), flags.host!);
  const { answers, hasFailed } = await ask(hosts, async (host) => {
    await act(host);
    // At once: others may take long.
    if (!flags.json) process.stdout.write(`${nameOf(host)}: ${done}\n`);
    return nameOf(host);
  });
  if (flags.json) print({ done: answers }, flags, () => '');
  return hasFailed ? EXIT.refused : EXIT.ok;
}

async function ask<T>(hosts: readonly Reachable[], about: (host: Reachable) => Promise<T>) {
  const answers: T[] = [];
  let hasFailed = false;
  for (const host of hosts) {
    try {
      answers.push(await about(host));
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      hasFailed = true;
      say(`${nameOf(host)}: ${error.message}`);
    }
  }
  return { answers, hasFailed };
}
