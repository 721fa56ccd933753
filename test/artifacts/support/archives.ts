/** Archives made by hand, so that they can be as wrong as a test wants them. */
import { crc32, deflateRawSync, gzipSync } from 'node:zlib';

export interface TarEntry {
  readonly name: string;
  readonly content?: string | Buffer;
  /** One character; `0` is a file, `5` a folder. */
  readonly type?: string;
  readonly mode?: number;
  readonly linkname?: string;
  /** What the header says; without it the truth. */
  readonly size?: number;
  readonly sizeField?: string;
  readonly magic?: string;
}

export function tarHeader({ name, content = '', type = '0', mode = 0o644, linkname = '', ...rest }: TarEntry): Buffer {
  const block = Buffer.alloc(512);
  const octal = (value: number, at: number, digits: number) =>
    block.write(`${value.toString(8).padStart(digits, '0')}\0`, at, 'latin1');
  Buffer.from(name).copy(block, 0, 0, 100);
  octal(mode, 100, 7);
  octal(0, 108, 7);
  octal(0, 116, 7);
  octal(rest.size ?? Buffer.byteLength(content), 124, 11);
  if (rest.sizeField !== undefined) block.write(rest.sizeField, 124, 'latin1');
  octal(0, 136, 11);
  block.write(type, 156, 'latin1');
  block.write(linkname, 157);
  block.write(rest.magic ?? 'ustar\x0000', 257, 'latin1');
  return withChecksums(block);
}

/** Makes the checksums of all headers right again. */
export function withChecksums(tar: Buffer): Buffer {
  for (let at = 0; at + 512 <= tar.byteLength; at += 512) {
    const header = tar.subarray(at, at + 512);
    if (header[156] === 0) continue;
    header.write('        ', 148);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  }
  return tar;
}

export function tarEntry(entry: TarEntry): Buffer {
  const content = Buffer.from(entry.content ?? '');
  return Buffer.concat([tarHeader(entry), content, Buffer.alloc((512 - (content.byteLength % 512)) % 512)]);
}

/** Of the extended header, which comes before what it is about. */
export function pax(members: Readonly<Record<string, string>>, type = 'x'): Buffer {
  const lines = Object.entries(members).map(([key, value]) => {
    const rest = Buffer.byteLength(` ${key}=${value}\n`);
    let length = rest + 1;
    while (rest + String(length).length !== length) length += 1;
    return `${length} ${key}=${value}\n`;
  });
  return tarEntry({ name: 'PaxHeader', type, content: lines.join('') });
}

export const TAR_END = Buffer.alloc(1024);

/** Of entries, or of raw blocks. */
export function tarGz(...entries: (TarEntry | Buffer)[]): Buffer {
  return gzipSync(
    Buffer.concat([...entries.map((entry) => (Buffer.isBuffer(entry) ? entry : tarEntry(entry))), TAR_END]),
  );
}

export interface ZipEntry {
  readonly name: string | Buffer;
  readonly content?: string | Buffer;
  readonly method?: number;
  readonly flags?: number;
  /** With the type of the file, as Unix has it. */
  readonly mode?: number;
  /** What is said instead of the truth. */
  readonly lie?: {
    readonly size?: number;
    readonly packed?: number;
    readonly crc?: number;
    readonly localName?: string;
    readonly offset?: number;
    readonly flags?: number;
  };
}

export interface ZipLies {
  readonly count?: number;
  readonly directory?: number;
  /** Between the entries and their directory, and after it. */
  readonly beforeDirectory?: Buffer;
  readonly beforeEnd?: Buffer;
}

const UTF8 = 0x800;

export function zip(entries: readonly ZipEntry[], lies: ZipLies = {}): Buffer {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name: text, content = '', method = 8, flags = UTF8, mode = 0o100644, lie = {} } of entries) {
    const name = Buffer.from(text as string);
    const plain = Buffer.from(content);
    const packed = method === 8 ? deflateRawSync(plain) : plain;
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(lie.flags ?? flags, 2);
    common.writeUInt16LE(method, 4);
    common.writeUInt32LE(lie.crc ?? crc32(plain), 10);
    common.writeUInt32LE(lie.packed ?? packed.byteLength, 14);
    common.writeUInt32LE(lie.size ?? plain.byteLength, 18);
    common.writeUInt16LE(name.byteLength, 22);
    const localName = lie.localName === undefined ? name : Buffer.from(lie.localName);
    const local = Buffer.from(common);
    local.writeUInt16LE(flags, 2);
    local.writeUInt16LE(localName.byteLength, 22);
    locals.push(Buffer.from('PK\x03\x04', 'latin1'), local, localName, packed);
    const central = Buffer.alloc(14);
    central.writeUInt32LE((mode << 16) >>> 0, 6);
    central.writeUInt32LE(lie.offset ?? offset, 10);
    directory.push(Buffer.from('PK\x01\x02', 'latin1'), Buffer.of(20, 3), common, central, name);
    offset += 30 + localName.byteLength + packed.byteLength;
  }
  const before = lies.beforeDirectory ?? Buffer.alloc(0);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(lies.count ?? entries.length, 8);
  end.writeUInt16LE(lies.count ?? entries.length, 10);
  const size = directory.reduce((sum, part) => sum + part.byteLength, 0);
  end.writeUInt32LE(size, 12);
  end.writeUInt32LE(lies.directory ?? offset + before.byteLength, 16);
  return Buffer.concat([...locals, before, ...directory, lies.beforeEnd ?? Buffer.alloc(0), end]);
}
