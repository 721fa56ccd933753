/**
 * `npm run soak`: services under load while one fault after another is drawn by a seed, for as long as is wanted; all is
 * checked every two minutes and at the end. Exit 1, with the seed, when anything is wrong.
 * Options: --minutes N (30), --seed N (a new one).
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startVitest } from 'vitest/node';

const { values: options } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});
const { minutes, seed } = options;
if (!(Number(minutes) > 0) || !Number.isInteger(Number(seed))) throw new Error('--minutes and --seed want numbers');
process.stdout.write(`soak: ${minutes} minutes, seed ${seed}\n`);
const vitest = await startVitest('test', [], {
  config: false,
  root: fileURLToPath(new URL('.', import.meta.url)),
  include: ['soak-run.ts'],
  watch: false,
  disableConsoleIntercept: true,
  env: { SOAK_MINUTES: minutes, SOAK_SEED: seed },
});
const isRight = vitest.state.getCountOfFailedTests() === 0 && vitest.state.getUnhandledErrors().length === 0;
await vitest.close();
if (!isRight) process.stdout.write(`soak: something is wrong; draw the same faults with --seed ${seed}\n`);
process.exit(isRight ? 0 : 1);
