import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Of the package this file belongs to, whether it runs from `src` or, compiled, from `dist/src`. */
export const VERSION = versionAbove(dirname(fileURLToPath(import.meta.url)));

function versionAbove(folder: string): string {
  try {
    const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, string>;
    if (name === 'kvitt' && version) return version;
  } catch {
    // Not here: one folder up.
  }
  const parent = dirname(folder);
  if (parent === folder) throw new Error('the package.json of kvitt was not found above its code');
  return versionAbove(parent);
}
