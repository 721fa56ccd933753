import { isUtf8 } from 'node:buffer';
import { type Field, field } from './bson-writer.ts';

const TWO_TO_32 = 2 ** 32;
/** Numbers from -2^52 to below 2^52 are read: any two of them sum up exactly. */
const HIGH_MAX = 2 ** 20;
const ASCII_MAX = 0x7f;

/**
 * Reads BSON in place, field by field, each of which must be the one that is expected: type, name and value. Nothing is
 * decoded, and nothing thrown: once something is otherwise, `failed` is true and whatever was answered since means nothing.
 */
export class BsonScan {
  bytes: Uint8Array = new Uint8Array(0);
  at = 0;
  failed = false;
  #view: DataView = new DataView(new ArrayBuffer(0));
  /** Where the string that was read last begins, and ends. */
  start = 0;
  end = 0;

  begin(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = 0;
    this.failed = false;
    if (bytes.length < 5 || this.open() !== bytes.length) this.failed = true;
  }

  /** Is this the field that comes next? Steps behind its header if so. */
  has(header: Field): boolean {
    const { bytes, at } = this;
    // Past the end nothing is equal to a byte.
    for (let i = 0; i < header.length; i++) if (bytes[at + i] !== header[i]) return false;
    this.at = at + header.length;
    return true;
  }

  expect(header: Field): void {
    if (!this.has(header)) this.failed = true;
  }

  /** Steps into a document or array behind its header; answers where it ends. */
  open(): number {
    const { at } = this;
    const end = at + this.int32();
    // `end` calls for a zero byte at that very place.
    if (end > this.bytes.length || end < at + 5) this.failed = true;
    return end;
  }

  /** Steps out of a document that is to end here. */
  close(end: number): void {
    if (this.at !== end - 1 || this.bytes[this.at] !== 0) this.failed = true;
    this.at++;
  }

  /** Is there something left of the document that ends there? */
  isBefore(end: number): boolean {
    return !this.failed && this.at < end - 1;
  }

  int32(): number {
    const { at } = this;
    if (at + 4 > this.bytes.length) {
      this.failed = true;
      return 0;
    }
    this.at = at + 4;
    return this.#view.getInt32(at, true);
  }

  /** NaN: it is none that is read here, and nothing failed. */
  int64(): number {
    const { at } = this;
    if (at + 8 > this.bytes.length) {
      this.failed = true;
      return 0;
    }
    this.at = at + 8;
    const high = this.#view.getInt32(at + 4, true);
    if (high >= HIGH_MAX || high < -HIGH_MAX) return Number.NaN;
    return high * TWO_TO_32 + this.#view.getUint32(at, true);
  }

  /** An Int64 from 0 to 2^53 - 1; else -1. */
  safeInt64(): number {
    const { at } = this;
    if (at + 8 > this.bytes.length) {
      this.failed = true;
      return 0;
    }
    this.at = at + 8;
    const high = this.#view.getUint32(at + 4, true);
    return high < 2 * HIGH_MAX ? high * TWO_TO_32 + this.#view.getUint32(at, true) : -1;
  }

  /** Reads a string; it is the bytes from `start` to before `end`. */
  string(): void {
    const { bytes } = this;
    const length = this.int32();
    const start = this.at;
    const end = start + length - 1;
    if (length < 1 || end >= bytes.length || bytes[end] !== 0) {
      this.failed = true;
      return;
    }
    this.start = start;
    this.end = end;
    this.at = end + 1;
    let all = 0;
    for (let i = start; i < end; i++) all |= bytes[i]!;
    if (all > ASCII_MAX && !isUtf8(bytes.subarray(start, end))) this.failed = true;
  }

  /** Is the string that was read last this one? */
  isString(text: Uint8Array): boolean {
    const { bytes, start } = this;
    if (this.end - start !== text.length) return false;
    for (let i = 0; i < text.length; i++) if (bytes[start + i] !== text[i]) return false;
    return true;
  }

  text(): string {
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length).toString(
      'utf8',
      this.start,
      this.end,
    );
  }

  /** Steps over the name of a string field, whatever it is. */
  anyString(): void {
    const { bytes } = this;
    const nameAt = this.at + 1;
    const nameEnd = bytes.indexOf(0, nameAt);
    if (bytes[this.at] !== STRING || nameEnd < 0 || !isUtf8(bytes.subarray(nameAt, nameEnd))) {
      this.failed = true;
      return;
    }
    this.at = nameEnd + 1;
    this.string();
  }

  /** Reads a binary of so many bytes; answers where it begins. */
  binary(length: number): number {
    if (this.int32() !== length || this.bytes[this.at] !== 0 || this.at + 1 + length > this.bytes.length) {
      this.failed = true;
      return 0;
    }
    const start = this.at + 1;
    this.at = start + length;
    return start;
  }
}

const STRING = field('string', '')[0];
