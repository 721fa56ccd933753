import { Camt053Parser } from './camt053-parser.ts';
import { pieces } from './decoder.ts';
import { limitsOf, type StatementLimits } from './limits.ts';
import { Output, tooLarge } from './output.ts';
import type { StatementLine, StatementReader } from './types.ts';
const BATCH_MIN = 500;
const BATCH_MAX = 1_000;
export function statementReader(format: string, options: { limits?: StatementLimits } = {}): StatementReader {
  const limits = limitsOf(options.limits);
  const output = new Output(limits);
  const parser = new Camt053Parser(limits, output);
  async function* read(input: AsyncIterable<Uint8Array>): AsyncGenerator<readonly StatementLine[]> {
    let bytes = 0;
    for await (const chunk of input) {
      bytes += chunk.length;
      if (bytes > limits.bytesMax) throw tooLarge('x', null);
      for (const piece of pieces(chunk)) {
        parser.write(piece);
        while (output.waiting >= BATCH_MIN) yield output.take(BATCH_MAX);
      }
    }
    parser.end();
    while (output.waiting > 0) yield output.take(BATCH_MAX);
  }
  return { read, statements: output.statements };
}
