/** The program of a generator process: is told what to do by the run that started it, and ends with it. */
import { setPriority } from 'node:os';
import { Generator } from './generator.ts';
import type { FromGenerator, ToGenerator } from './messages.ts';

/** Before what it tests: whoever measures must not be the one who is late. */
const PRIORITY = -10;

function tell(message: FromGenerator): void {
  process.send?.(message);
}

function raisePriority(): void {
  try {
    setPriority(PRIORITY);
  } catch {
    // Only some may; the lag says whether it was needed.
  }
}

let generator: Generator | null = null;

async function run(plan: ConstructorParameters<typeof Generator>[0]): Promise<void> {
  generator = new Generator(plan, tell);
  tell({ ended: await generator.run() });
}

process.on('message', (message: ToGenerator) => {
  if ('stop' in message) generator?.stop();
  else void run(message.begin);
});
process.once('disconnect', () => process.exit(0));
// An interrupt on the terminal reaches all processes; the run says what is to become of this one.
process.on('SIGINT', () => undefined);
raisePriority();
tell({ ready: true });
