/** ZooKeeper's serialisation ("jute"): big-endian numbers, lengths before bytes, -1 as the length of null. */

const STRING_BYTES_MAX = 64 << 20;

export class JuteWriter {
  #buffer: Buffer;
  #length = 0;

  constructor(size = 256) {
    this.#buffer = Buffer.allocUnsafe(size);
  }

  bool(value: boolean): this {
    this.#room(1);
    this.#buffer[this.#length++] = value ? 1 : 0;
    return this;
  }

  int(value: number): this {
    this.#room(4);
    this.#length = this.#buffer.writeInt32BE(value, this.#length);
    return this;
  }

  long(value: bigint): this {
    this.#room(8);
    this.#length = this.#buffer.writeBigInt64BE(value, this.#length);
    return this;
  }

  bytes(value: Uint8Array | null): this {
    if (value === null) return this.int(-1);
    this.int(value.length);
    this.#room(value.length);
    this.#buffer.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  string(value: string): this {
    const length = Buffer.byteLength(value);
    this.int(length);
    this.#room(length);
    this.#length += this.#buffer.write(value, this.#length);
    return this;
  }

  vector<T>(values: readonly T[], each: (value: T) => void): this {
    this.int(values.length);
    for (const value of values) each(value);
    return this;
  }

  result(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + bytes));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }
}

/** @throws RangeError when there is less to read than the data says */
export class JuteReader {
  #at = 0;
  constructor(readonly buffer: Buffer) {}

  get left(): number {
    return this.buffer.length - this.#at;
  }

  bool(): boolean {
    this.#need(1);
    return this.buffer[this.#at++] !== 0;
  }

  int(): number {
    const value = this.buffer.readInt32BE(this.#at);
    this.#at += 4;
    return value;
  }

  long(): bigint {
    const value = this.buffer.readBigInt64BE(this.#at);
    this.#at += 8;
    return value;
  }

  /** A copy: the buffer read from is used again. */
  bytes(): Buffer | null {
    const length = this.int();
    if (length < 0) return null;
    this.#need(length);
    const value = Buffer.from(this.buffer.subarray(this.#at, this.#at + length));
    this.#at += length;
    return value;
  }

  string(): string {
    const length = this.int();
    if (length <= 0) return '';
    this.#need(length);
    const value = this.buffer.toString('utf8', this.#at, this.#at + length);
    this.#at += length;
    return value;
  }

  vector<T>(each: () => T): T[] {
    const length = this.int();
    const values: T[] = [];
    for (let index = 0; index < length; index++) values.push(each());
    return values;
  }

  #need(bytes: number): void {
    if (bytes > STRING_BYTES_MAX || bytes > this.left) throw new RangeError(`${bytes} bytes are missing`);
  }
}
