import type { Command } from 'commander';
import { actor } from '../actor.ts';
import { readConfig } from '../config.ts';
import { MongoAuditLog } from '../mongo/audit-log.ts';
import { type Deed, deadLettersCommand } from '../queue/tool.ts';
import { table } from '../resources/text.ts';
import { withDeadLetters } from '../wiring/queue.ts';
import { endProgress, print, progress } from './output.ts';
import { withStorage } from './with-storage.ts';

export function addDeadLetters(program: Command): void {
  program.addCommand(
    deadLettersCommand({
      withOffice: (run) => withDeadLetters(readConfig(), run),
      withAudit: withDeadLettersAudited,
      ...{ print, table, progress, endProgress },
    }),
  );
}

async function withDeadLettersAudited(run: (record: (deed: Deed) => Promise<void>) => Promise<void>): Promise<void> {
  await withStorage(({ db }, { SQS_DEAD_LETTER_QUEUE_URL: url }) => {
    const log = new MongoAuditLog(db);
    return run((deed) => log.record({ actor: actor(), target: `dead letters of ${url}`, ...deed }));
  });
}
