/**
 * Writes BSON straight into one growing buffer: the field headers are copied whole, and nothing is measured twice.
 * For the documents on the way of every payment; everything else uses the driver's own serializer.
 * Format: https://bsonspec.org/spec.html
 */

const ASCII_MAX = 0x7f;
const TWO_TO_32 = 2 ** 32;
const FIRST_BYTES = 64 * 1024;

const TYPE = {
  string: 0x02,
  document: 0x03,
  array: 0x04,
  binary: 0x05,
  boolean: 0x08,
  date: 0x09,
  int32: 0x10,
  int64: 0x12,
} as const;

/** A field name with its type byte before and its zero byte behind. */
export type Field = Uint8Array;

export function field(type: keyof typeof TYPE, name: string): Field {
  return Buffer.concat([Buffer.from([TYPE[type]]), Buffer.from(name, 'utf8'), Buffer.from([0])]);
}

/** Field headers for the positions of an array, made once each. */
export function positions(type: keyof typeof TYPE): (index: number) => Field {
  const made: Field[] = [];
  return (index) => {
    for (let i = made.length; i <= index; i++) made.push(field(type, String(i)));
    return made[index]!;
  };
}

export class BsonWriter {
  #buffer = Buffer.allocUnsafe(FIRST_BYTES);
  #view = new DataView(this.#buffer.buffer, this.#buffer.byteOffset, this.#buffer.byteLength);
  #at = 0;

  /** Bytes written so far. */
  get length(): number {
    return this.#at;
  }

  /** Begins a top-level document. */
  begin(): number {
    this.#at = 0;
    return this.#open();
  }

  /** Begins a document or array inside; pass the answer to `end`. */
  open(header: Field): number {
    this.#header(header);
    return this.#open();
  }

  end(start: number): void {
    this.#room(1);
    this.#buffer[this.#at++] = 0;
    this.#view.setInt32(start, this.#at - start, true);
  }

  string(header: Field, value: string): void {
    this.#header(header);
    const most = value.length * 3;
    this.#room(most + 5);
    const start = this.#at + 4;
    const written = this.#ascii(value, start) ? value.length : this.#buffer.write(value, start, 'utf8');
    this.#view.setInt32(this.#at, written + 1, true);
    this.#at = start + written;
    this.#buffer[this.#at++] = 0;
  }

  boolean(header: Field, value: boolean): void {
    this.#header(header);
    this.#room(1);
    this.#buffer[this.#at++] = value ? 1 : 0;
  }

  int32(header: Field, value: number): void {
    this.#header(header);
    this.#room(4);
    this.#view.setInt32(this.#at, value, true);
    this.#at += 4;
  }

  int64(header: Field, value: bigint): void {
    this.#header(header);
    this.#room(8);
    this.#view.setBigInt64(this.#at, value, true);
    this.#at += 8;
  }

  /** An Int64 that is a safe integer: without a bigint in between. */
  safeInt64(header: Field, value: number): void {
    this.#header(header);
    this.#room(8);
    this.#view.setInt32(this.#at, value % TWO_TO_32, true);
    this.#view.setInt32(this.#at + 4, Math.floor(value / TWO_TO_32), true);
    this.#at += 8;
  }

  /** Milliseconds since the epoch. */
  date(header: Field, value: number): void {
    this.safeInt64(header, value);
  }

  /** Answers the offset of the first byte of the value. */
  binary(header: Field, value: Uint8Array): number {
    this.#header(header);
    this.#room(value.length + 5);
    this.#view.setInt32(this.#at, value.length, true);
    this.#buffer[this.#at + 4] = 0;
    this.#buffer.set(value, this.#at + 5);
    this.#at += 5 + value.length;
    return this.#at - value.length;
  }

  /** A copy of what was written. */
  bytes(): Buffer {
    return Buffer.from(this.#buffer.subarray(0, this.#at));
  }

  #open(): number {
    this.#room(4);
    const start = this.#at;
    this.#at += 4;
    return start;
  }

  #header(header: Field): void {
    const length = header.length;
    this.#room(length);
    const buffer = this.#buffer;
    const at = this.#at;
    for (let i = 0; i < length; i++) buffer[at + i] = header[i]!;
    this.#at = at + length;
  }

  /** For short plain strings a loop is faster than the call into the runtime. False: there is more than ASCII in it. */
  #ascii(value: string, start: number): boolean {
    const { length } = value;
    const buffer = this.#buffer;
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code > ASCII_MAX) return false;
      buffer[start + i] = code;
    }
    return true;
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#at + bytes));
    this.#buffer.copy(larger, 0, 0, this.#at);
    this.#buffer = larger;
    this.#view = new DataView(larger.buffer, larger.byteOffset, larger.byteLength);
  }
}
