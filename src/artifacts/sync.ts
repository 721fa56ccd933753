/** What must be on the disk before it is relied upon. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/** Of a file its content, of a folder the names in it. */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  await handle.sync().finally(() => handle.close());
}
