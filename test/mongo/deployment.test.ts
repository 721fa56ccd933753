import { expect, it } from 'vitest';
import { checkDeployment } from '../../src/mongo/deployment.ts';
import { useDatabase } from '../support/database.ts';

const AT_ONCE = 40;
const database = useDatabase();

it('takes a deployment for safe, however many check it at the same moment', async () => {
  const checks = await Promise.all(
    Array.from({ length: AT_ONCE }, () => checkDeployment(database.client, database.name)),
  );
  expect(checks.flat().filter(({ ok }) => !ok)).toEqual([]);
});
