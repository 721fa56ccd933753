import type { Db } from 'mongodb';

/**
 * A file is reconciled once for a source, and the schedule begins each time once; what is running is found; matches are
 * read in their order, and by the days of what they match; breaks are listed by their age, and in the order of the
 * statement that opened them; items whose breaks are resolved are found by their time, and breaks by
 * that at which they were.
 */
export async function up(db: Db): Promise<void> {
  await db.collection('reconciliations').createIndexes([
    {
      key: { source: 1, 'file.sha256': 1 },
      name: 'file',
      unique: true,
      partialFilterExpression: { 'file.sha256': { $exists: true }, dryRun: false },
    },
    {
      key: { scheduledFor: 1 },
      name: 'schedule',
      unique: true,
      partialFilterExpression: { scheduledFor: { $type: 'date' } },
    },
    { key: { status: 1, _id: 1 }, name: 'running', partialFilterExpression: { status: 'running' } },
    { key: { source: 1, _id: -1 }, name: 'source' },
  ]);
  await db.collection('reconciliation_matches').createIndexes([
    { key: { reconciliation: 1, first: 1 }, name: 'position' },
    { key: { source: 1, to: 1 }, name: 'source_days' },
  ]);
  await db.collection('breaks').createIndexes([
    { key: { source: 1, status: 1, day: 1, _id: 1 }, name: 'source_age' },
    { key: { status: 1, day: 1, _id: 1 }, name: 'age' },
    { key: { reconciliation: 1, position: 1, _id: 1 }, name: 'position' },
    {
      key: { source: 1, 'resolution.at': 1 },
      name: 'resolved',
      partialFilterExpression: { 'resolution.at': { $type: 'date' } },
    },
    {
      key: { source: 1, 'item.at': 1 },
      name: 'settled_items',
      partialFilterExpression: { status: 'resolved', 'item.at': { $gt: 0 } },
    },
    {
      key: { 'resolution.reconciliation': 1 },
      name: 'settled_by',
      partialFilterExpression: { 'resolution.reconciliation': { $type: 'string' } },
    },
  ]);
  // Differences were kept with the one comparison that found them, before they were breaks that somebody works on.
  await db.collection('reconciliation_items').drop();
}
