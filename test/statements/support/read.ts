import { readFileSync } from 'node:fs';
import { type StatementFormat, type StatementOptions, statementReader } from '../../../src/statements/reader.ts';
import { dayText, StatementError } from '../../../src/statements/statement.ts';
import type { StatementInfo, StatementLine } from '../../../src/statements/types.ts';

export interface Read {
  readonly lines: StatementLine[];
  readonly statements: readonly StatementInfo[];
}

export function fixture(name: string): Buffer {
  return readFileSync(new URL(`../../fixtures/statements/${name}`, import.meta.url));
}

export async function readChunks(
  format: StatementFormat,
  chunks: Iterable<Uint8Array>,
  options?: StatementOptions,
): Promise<Read> {
  const reader = statementReader(format, options);
  const source = (async function* () {
    yield* chunks;
  })();
  const lines: StatementLine[] = [];
  for await (const batch of reader.read(source)) lines.push(...batch);
  return { lines, statements: reader.statements };
}

export function readAll(format: StatementFormat, file: string | Uint8Array, options?: StatementOptions): Promise<Read> {
  return readChunks(format, [typeof file === 'string' ? Buffer.from(file) : file], options);
}

/** The error that reading ends with. */
export async function failure(
  format: StatementFormat,
  file: string | Uint8Array,
  options?: StatementOptions,
): Promise<StatementError> {
  const error = await readAll(format, file, options).then(
    () => new Error('the file was read'),
    (thrown: unknown) => thrown,
  );
  if (error instanceof StatementError) return error;
  throw error;
}

/** A line in short: `12: 2026-01-31 in 99.00 fee 1.00 EUR [INV-1] "text" id=… batch=… count=… reversal`. */
export function brief(line: StatementLine): string {
  const parts = [`${line.line}:`, dayText(line.day)];
  if (line.valueDay !== null) parts.push(`value ${dayText(line.valueDay)}`);
  parts.push(line.direction ?? 'moved', `${line.amount}`);
  if (line.fee !== 0n) parts.push(`fee ${line.fee}`);
  parts.push(line.currency, `[${line.references.join(' ')}]`, JSON.stringify(line.text));
  if (line.id !== null) parts.push(`id=${line.id}`);
  if (line.batch !== null) parts.push(`batch=${line.batch}`);
  if (line.count !== null) parts.push(`count=${line.count}`);
  if (line.isReversal) parts.push('reversal');
  if (line.statement !== 0) parts.push(`statement=${line.statement}`);
  return parts.join(' ');
}
