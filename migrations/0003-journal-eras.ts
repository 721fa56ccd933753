import type { Db } from 'mongodb';

/**
 * Finds the postings of an account era by era, instead of over the whole journal at once: an index that grows at its end
 * alone, whatever the accounts, takes a posting as fast in the ten-millionth block as in the first. `touched` holds the
 * hashes of a block's accounts.
 */
export async function up(db: Db): Promise<void> {
  const journal = db.collection('journal');
  if (await journal.findOne({ era: { $exists: false } }, { projection: { _id: 1 } })) {
    throw new Error(
      'the journal has blocks of a form from before the first release, which this version cannot read; keep the version that wrote them',
    );
  }
  await journal.createIndex({ era: 1, touched: 1, '_id.height': 1 }, { name: 'era_account_height' });
  const names = (await journal.indexes()).map(({ name }) => name);
  if (names.includes('account_height')) await journal.dropIndex('account_height');
}
