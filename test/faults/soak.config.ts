import { defineConfig } from 'vitest/config';

/** Run by hand, and by nothing else. */
export default defineConfig({
  test: { include: ['test/faults/soak.ts'], hookTimeout: 120_000, disableConsoleIntercept: true },
});
