/** A process that becomes the agent of a folder, says so, and goes on until it is killed. Its argument: the folder. */
import { lockFolder } from '../../../src/nodee/folder-lock.ts';

try {
  await lockFolder(process.argv[2]!);
  process.stdout.write('locked\n');
  setInterval(() => undefined, 60_000);
} catch (error) {
  process.stdout.write(`${(error as Error).message.slice(0, 13)}\n`);
}
