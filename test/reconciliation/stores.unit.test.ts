/** The stores in memory, over which reconciliation is tested, do what those over MongoDB do. */
import { MemoryBreaks, MemoryReconciliations } from './support/memory-reconciliations.ts';
import { MemoryFiles } from './support/memory-world.ts';
import { describeStores } from './support/store-contract.ts';

describeStores(async () => {
  const breaks = new MemoryBreaks();
  return { breaks, reconciliations: new MemoryReconciliations(breaks), files: new MemoryFiles() };
});
