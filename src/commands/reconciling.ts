import type { Command } from 'commander';
import { z } from 'zod';
import { actor } from '../actor.ts';
import { ConfigError } from '../config.ts';
import { createTransactionBody } from '../http/schemas/requests.ts';
import { MongoAuditLog } from '../mongo/audit-log.ts';
import type { Payments } from '../payments/types.ts';
import {
  breaksCommand,
  type ToolParts as ReconcilingParts,
  reconcileCommand,
  reconciliationsCommand,
} from '../reconciliation/tool.ts';
import { table } from '../resources/text.ts';
import { Closers } from '../wiring/closers.ts';
import { createEngine, createPayments } from '../wiring/ledger.ts';
import { createReconciliation } from '../wiring/reconciliation.ts';
import { keepHeapSmall } from './heap.ts';
import { endProgress, print, progress } from './output.ts';
import { withStorage } from './with-storage.ts';

export function addReconciling(program: Command): void {
  program.addCommand(reconcileCommand(reconciling));
  program.addCommand(reconciliationsCommand(reconciling));
  program.addCommand(breaksCommand(reconciling));
}

const reconciling: ReconcilingParts = {
  withParts: (run) =>
    withStorage(async ({ db }, config, log) => {
      keepHeapSmall();
      const closers = new Closers();
      // Only whoever resolves a break with a transaction needs a ledger.
      const createTransaction: Payments['createTransaction'] = (request, caller) => {
        const engine = createEngine(config, db, log);
        closers.add(() => engine.stop());
        return createPayments(config, db, engine).createTransaction(request, caller);
      };
      const made = createReconciliation(config, db, log, { payments: { createTransaction }, isElsewhere: false });
      closers.add(() => made.reconciliations.close());
      const audit = new MongoAuditLog(db);
      try {
        await run(made, (deed) => audit.record({ actor: actor(), ...deed }));
      } finally {
        await closers.closeAll(log);
      }
    }),
  parseTransaction: (body) => {
    const parsed = createTransactionBody.safeParse(body);
    if (parsed.success) return parsed.data;
    throw new ConfigError(`The transaction is wrong: ${z.prettifyError(parsed.error)}`);
  },
  ...{ actor, print, table, progress, endProgress },
};
