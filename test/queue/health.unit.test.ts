import { expect, it } from 'vitest';
import { Health } from '../../src/queue/health.ts';
import { quietLog } from '../support/log.ts';

it('says once that something does not work, by which message it was found, and when it works again', () => {
  const lines: object[] = [];
  const keep = (fields: object, message: string) => lines.push({ ...fields, message });
  const health = new Health({ ...quietLog, warn: keep, info: keep }, 'the ledger', 'check the database');
  const error = new Error('planted');
  health.down(error, { messageId: 'message-1' });
  health.down(error, { messageId: 'message-2' });
  health.up();
  health.up();
  expect(lines).toEqual([
    { err: error, messageId: 'message-1', message: 'the ledger does not work; check the database' },
    { downMs: expect.any(Number), message: 'the ledger works again' },
  ]);
});
