import type { Db } from 'mongodb';
import { MIGRATIONS } from '../../migrations/index.ts';

interface Applied {
  _id: string;
  applied_at: Date;
}

export interface MigrationStatus {
  readonly name: string;
  /** null: not applied yet. */
  readonly appliedAt: Date | null;
}

export async function migrationStatus(db: Db): Promise<MigrationStatus[]> {
  const applied = new Map((await db.collection<Applied>('migrations').find().toArray()).map((one) => [one._id, one]));
  const unknown = [...applied.keys()].filter((name) => !MIGRATIONS.some((migration) => migration.name === name));
  if (unknown.length > 0) {
    throw new Error(`the database was migrated by a newer version of kvitt (${unknown.join(', ')}); use that version`);
  }
  return MIGRATIONS.map(({ name }) => ({ name, appliedAt: applied.get(name)?.applied_at ?? null }));
}

/** Applies what is missing, in order. Any number of processes may do so at once: migrations can be repeated. */
export async function migrateUp(db: Db): Promise<string[]> {
  const done: string[] = [];
  for (const { name, appliedAt } of await migrationStatus(db)) {
    if (appliedAt !== null) continue;
    await MIGRATIONS.find((migration) => migration.name === name)!.up(db);
    const record = { $setOnInsert: { applied_at: new Date() } };
    await db.collection<Applied>('migrations').updateOne({ _id: name }, record, { upsert: true });
    done.push(name);
  }
  return done;
}
