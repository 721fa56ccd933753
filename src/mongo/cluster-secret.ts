import { randomBytes } from 'node:crypto';
import type { Db } from 'mongodb';

interface SecretDocument {
  _id: string;
  value: string;
}

const SECRET_BYTES = 32;
const NAME = 'cluster';

/**
 * What instances of one service prove themselves to each other with: whoever may write the ledger's database knows it.
 * Made by whichever instance asks first.
 */
export async function clusterSecret(db: Db): Promise<string> {
  const secrets = db.collection<SecretDocument>('secrets');
  await secrets.updateOne(
    { _id: NAME },
    { $setOnInsert: { value: randomBytes(SECRET_BYTES).toString('hex') } },
    { upsert: true },
  );
  const { value } = (await secrets.findOne({ _id: NAME }))!;
  return value;
}
