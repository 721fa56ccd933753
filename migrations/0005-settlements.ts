import type { Db } from 'mongodb';

/**
 * Finds the latest entry that settles a payment or changes an account, and payments whose time is over. Only blocks with such entries are in it: most
 * payments are posted at once, and cost nothing here.
 */
export async function up(db: Db): Promise<void> {
  await db
    .collection('journal')
    .createIndex(
      { subjects: 1, '_id.height': -1 },
      { name: 'subject_height', partialFilterExpression: { subjects: { $exists: true } } },
    );
  await heldUntilIndex(db);
  const payments = db.collection('payments');
  // Those of before could neither be captured later nor refunded.
  await payments.updateMany({ capture: { $exists: false } }, [
    {
      $set: {
        capture: 'automatic',
        splits: [],
        amountHeld: 0n,
        amountCaptured: { $cond: [{ $eq: ['$status', 'posted'] }, '$amount', 0n] },
        amountRefunded: 0n,
        expiresAt: null,
        updatedAt: '$createdAt',
        lastTransactionId: '$transactionId',
        settledHeight: '$height',
      },
    },
  ]);
}

/** Also for whoever finds the collection dropped. */
export async function heldUntilIndex(db: Db): Promise<void> {
  await db
    .collection('payments')
    .createIndex({ expiresAt: 1 }, { name: 'held_until', partialFilterExpression: { status: 'authorized' } });
}
