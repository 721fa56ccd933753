import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fc, test } from '@fast-check/vitest';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LineSplitter, markedLine } from '../../src/processes/log-lines.ts';
import { readLog } from '../../src/processes/log-reader.ts';
import { LogWriter } from '../../src/processes/log-writer.ts';
import { collect, isRoot, textOf, WAIT } from './runs-support.ts';

const LIMITS = { fileBytes: 4_096, files: 1_000 };
const PLENTY_MS = 30_000;
let folder: string;
const writers: LogWriter[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kvitt-logs-'));
});
afterEach(async () => {
  await closeWriters();
  rmSync(folder, { recursive: true, force: true });
});

async function closeWriters(): Promise<void> {
  await Promise.all(writers.splice(0).map((writer) => writer.close(PLENTY_MS)));
}

function writerOf(run: string, limits = LIMITS, isOpen = (_: string) => true): LogWriter {
  const writer = new LogWriter({ folder, run, limits, isOpen });
  writers.push(writer);
  return writer;
}

function put(writer: LogWriter, text: string, at = new Date()): void {
  writer.write(markedLine('out', Buffer.from(text), at));
}

async function putMany(writer: LogWriter, name: string, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    put(writer, `${name} ${index}`);
    if (index % 50 === 0) await new Promise(setImmediate);
    if (writer.isFull) await writer.room();
  }
  await writer.flush(PLENTY_MS);
}

function numbered(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${name} ${index}`);
}

describe('output that is cut into lines', () => {
  const chunks = fc.array(fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes.map((byte) => byte % 14))));

  test.prop([chunks])('is the same however it was cut into chunks', (parts) => {
    const lines: string[] = [];
    const splitter = new LineSplitter((line) => lines.push(line.toString('latin1')));
    for (const part of parts) splitter.push(part);
    splitter.flush();
    const expected = Buffer.concat(parts).toString('latin1').split('\n');
    if (expected.at(-1) === '') expected.pop();
    expect(lines).toEqual(expected);
  });

  test.prop([
    fc.integer({ min: 1, max: 40_000 }),
    fc.integer({ min: 500, max: 9_000 }),
    fc.constantFrom('a', 'å', '€', '😀'),
  ])('loses nothing of lines that are too long, and cuts no character in two', (length, chunkBytes, character) => {
    const lines: Buffer[] = [];
    const splitter = new LineSplitter((line) => lines.push(Buffer.from(line)));
    const bytes = Buffer.from(`${character.repeat(length)}\n`);
    for (let at = 0; at < bytes.length; at += chunkBytes) splitter.push(bytes.subarray(at, at + chunkBytes));
    expect(lines.map(String).join('')).toBe(character.repeat(length));
    expect(lines.every((line) => line.length <= 16_384)).toBe(true);
    expect(splitter.isWithinLine).toBe(false);
  });
});

describe('a log of several files', () => {
  it('is followed over its rotations with no line lost and none doubled', async () => {
    const stream = readLog(folder, { follow: true });
    const seen = collect(stream);
    await putMany(writerOf('r1'), 'line', 5_000);
    expect(readdirSync(folder).length).toBeGreaterThan(20);
    await vi.waitFor(() => expect(seen.lines()).toHaveLength(5_000), WAIT);
    stream.destroy();
    expect(seen.lines()).toEqual(numbered('line', 5_000));
    expect((await textOf(readLog(folder, {}))).split('\n').slice(0, -1)).toEqual(numbered('line', 5_000));
  });

  it('may have two writers that rotate at once', async () => {
    const stream = readLog(folder, { follow: true });
    const seen = collect(stream);
    await Promise.all(['one', 'two'].map((name) => putMany(writerOf(name), name, 2_000)));
    await vi.waitFor(() => expect(seen.lines()).toHaveLength(4_000), WAIT);
    stream.destroy();
    for (const lines of [seen.lines(), (await textOf(readLog(folder, {}))).split('\n').slice(0, -1)]) {
      for (const name of ['one', 'two']) {
        expect(lines.filter((line) => line.startsWith(name))).toEqual(numbered(name, 2_000));
      }
    }
  });

  it('is read in the order of time', async () => {
    const [a, b] = [writerOf('a'), writerOf('b')];
    for (let index = 0; index < 300; index++) put(index % 3 === 0 ? a : b, `${index}`, new Date(1_000_000 + index));
    await Promise.all([a.flush(PLENTY_MS), b.flush(PLENTY_MS)]);
    expect(await textOf(readLog(folder, {}))).toBe(Array.from({ length: 300 }, (_, index) => `${index}\n`).join(''));
    expect(await textOf(readLog(folder, { lines: 1, marks: true }))).toBe('1970-01-01T00:16:40.299Z out 299\n');
  });

  test.prop([fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.nat(300)), { maxLength: 60 }), fc.nat(70)], {
    numRuns: 40,
  })('shows as many of its last lines as are asked for', async (lines, count) => {
    rmSync(folder, { recursive: true, force: true });
    const byRun = new Map(['a', 'b', 'c'].map((run) => [run, writerOf(run, { fileBytes: 500, files: 1_000 })]));
    for (const [index, [run, length]] of lines.entries()) {
      put(byRun.get(run)!, `${index}${'x'.repeat(length)}`, new Date(index));
      await byRun.get(run)!.flush(PLENTY_MS);
    }
    const all = lines.map(([, length], index) => `${index}${'x'.repeat(length)}\n`);
    expect(await textOf(readLog(folder, { lines: count }))).toBe(all.slice(Math.max(0, all.length - count)).join(''));
  });

  it('shows what comes after the last lines, when it is followed', async () => {
    const writer = writerOf('r1');
    for (const text of ['a', 'b', 'c']) put(writer, text);
    await writer.flush(PLENTY_MS);
    const stream = readLog(folder, { lines: 1, follow: true });
    const seen = collect(stream);
    await vi.waitFor(() => expect(seen.text()).toBe('c\n'), WAIT);
    put(writer, 'd');
    await writer.flush(PLENTY_MS);
    put(writerOf('r2'), 'e');
    await vi.waitFor(() => expect(seen.text()).toBe('c\nd\ne\n'), WAIT);
    stream.destroy();
  });

  it('keeps no more than it may, and never takes the file that a quiet run still writes to', async () => {
    const quiet = writerOf('quiet', { fileBytes: 2_000, files: 3 });
    put(quiet, 'first');
    await quiet.flush(PLENTY_MS);
    const loud = writerOf('loud', { fileBytes: 2_000, files: 3 });
    await putMany(loud, 'x', 3_000);
    expect(readdirSync(folder).length).toBeLessThan(8);
    put(quiet, 'last');
    await quiet.flush(PLENTY_MS);
    const text = await textOf(readLog(folder, {}));
    expect(text).toContain('first\n');
    expect(text.trim().split('\n').at(-1)).toBe('last');
    const later = writerOf('later', { fileBytes: 2_000, files: 3 }, (run) => run === 'later');
    await putMany(later, 'y', 300);
    expect(readdirSync(folder).filter((name) => name.includes('quiet'))).toEqual([]);
  });

  it('does not show half a line that was left by a keeper that was killed', async () => {
    const writer = writerOf('r1');
    for (const text of ['whole', 'torn']) put(writer, text);
    await writer.flush(PLENTY_MS);
    const [name] = readdirSync(folder);
    truncateSync(join(folder, name!), 29 + 'whole\n'.length + 31);
    expect(await textOf(readLog(folder, {}))).toBe('whole\n');
    expect(await textOf(readLog(folder, { lines: 1 }))).toBe('whole\n');
  });

  it('ends at once when nobody reads it any more', async () => {
    const stream = readLog(folder, { follow: true });
    stream.resume();
    await new Promise(setImmediate);
    stream.destroy();
    await vi.waitFor(() => expect(stream.closed).toBe(true), WAIT);
  });
});

describe('a log that cannot be written', () => {
  it('costs lines, says how many, and goes on when it can', async () => {
    const inTheWay = join(folder, 'logs');
    writeFileSync(inTheWay, '');
    const writer = new LogWriter({ folder: inTheWay, run: 'r1', limits: LIMITS, isOpen: () => true });
    writers.push(writer);
    await putMany(writer, 'lost', 100);
    rmSync(inTheWay);
    mkdirSync(inTheWay);
    await vi.waitFor(async () => {
      await writer.flush(PLENTY_MS);
      expect(readdirSync(inTheWay)).toHaveLength(1);
    }, WAIT);
    put(writer, 'kept');
    await writer.flush(PLENTY_MS);
    const text = await textOf(readLog(inTheWay, {}));
    expect(text).toMatch(/^\[nodee\] 100 lines were not kept: E[A-Z]+.*\nkept\n$/);
  });

  it.runIf(isRoot)('because the disk is full loses what it says that it lost', async () => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'kvitt-test', folder]);
    try {
      const writer = writerOf('r1', { fileBytes: 1e9, files: 2 });
      await putMany(writer, 'line', 3_000);
      const full = await textOf(readLog(folder, {}));
      expect(full.split('\n').length).toBeLessThan(3_000);
      const kept = full.split('\n').filter((line) => line.startsWith('line '));
      for (const name of readdirSync(folder)) truncateSync(join(folder, name), 0);
      await vi.waitFor(async () => {
        await writer.flush(PLENTY_MS);
        expect(await textOf(readLog(folder, {}))).toContain('were not kept');
      }, WAIT);
      const notes = [...(await textOf(readLog(folder, {}))).matchAll(/(\d+) lines were not kept/g)];
      const lost = notes.reduce((sum, [, count]) => sum + Number(count), 0);
      expect(kept.length + lost).toBe(3_000);
    } finally {
      await closeWriters();
      execFileSync('umount', [folder]);
    }
  });
});
