import { BSON } from 'mongodb';
import { expect, it } from 'vitest';
import { hashApiKey } from '../../src/http/auth.ts';
import { useService } from './support/service.ts';

const service = useService();

it('keeps of an API key its hash alone, in no collection the key itself', async () => {
  const { api, db } = service;
  await api.createAccounts('world:EUR', 'alice');
  await api.pay('world:EUR', 'alice', 1);
  expect(await db.collection<{ _id: string }>('api_keys').findOne({ _id: hashApiKey(api.key) })).toMatchObject({
    name: 'bootstrap',
  });
  const collections = await db.listCollections().toArray();
  expect(collections.length).toBeGreaterThan(3);
  for (const { name } of collections) {
    for (const document of await db.collection(name).find().toArray()) {
      expect(Buffer.from(BSON.serialize(document)).includes(api.key), name).toBe(false);
    }
  }
});
