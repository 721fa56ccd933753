import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Db } from 'mongodb';
import { actor } from '../actor.ts';
import type { Config } from '../config.ts';
import { generateApiKey, hashApiKey } from '../http/auth.ts';
import { SCOPES } from '../http/ports.ts';
import { MongoApiKeys } from '../mongo/api-keys.ts';
import { auditKeyCreated } from '../mongo/audit-log.ts';

/** Makes sure that there is a first API key. Answers the file that keeps it, when it had to be made here. */
export async function bootstrapKey(config: Config, db: Db, embedded: boolean): Promise<string | null> {
  const keys = new MongoApiKeys(db);
  const add = async (key: string) => {
    const stored = { hash: hashApiKey(key), client: 'bootstrap', scopes: SCOPES, expiresAt: null };
    if (await keys.add(stored)) await auditKeyCreated(db, actor(), stored);
  };
  if (config.BOOTSTRAP_API_KEY !== undefined) {
    await add(config.BOOTSTRAP_API_KEY);
    return null;
  }
  if (!embedded) return null;
  const file = join(config.DATA_DIR, 'api-key');
  let key = await readFile(file, 'utf8').catch(() => null);
  if (key === null) {
    key = generateApiKey();
    await mkdir(config.DATA_DIR, { recursive: true });
    await writeFile(file, key, { mode: 0o600, flag: 'wx' });
    await chmod(file, 0o600);
  }
  await add(key.trim());
  return file;
}
