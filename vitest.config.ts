import { defineConfig } from 'vitest/config';

/** These look at how fast something is, beside something else: no other test runs meanwhile. */
const MEASURING = ['test/ladder/planted.test.ts', 'test/loadtest/other-tools.test.ts', 'test/faults/overload.test.ts'];

/**
 * `*.unit.test.ts` need no servers; every other `*.test.ts` gets a real replica set, shared by the whole run and
 * started only when such a test is run; tests of Cloudname and Nodee get a real ZooKeeper instead. Fault tests start their own, as
 * they kill its members.
 */
export default defineConfig({
  test: {
    maxWorkers: 2,
    // Only what hangs takes so long, on any machine.
    testTimeout: 120_000,
    hookTimeout: 240_000,
    // What is waited for comes when it comes: by default it would have to within a second, on any machine.
    expect: { poll: { timeout: 20_000 } },
    // A time limit runs out when the machine stands still, which is no defect. A failed assertion is never tried again.
    retry: { count: 1, condition: /^(Test|Hook) timed out in \d+ms/ },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.unit.test.ts'],
          // To load the modules anew for each of so many files takes longer than most of them. They leave nothing behind.
          isolate: false,
          restoreMocks: true,
        },
      },
      {
        extends: true,
        test: {
          name: 'integration',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.unit.test.ts', 'test/cloudname/**', 'test/cluster/**', 'test/nodee/**', ...MEASURING],
          globalSetup: ['test/support/global-setup.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'measuring',
          include: MEASURING,
          globalSetup: ['test/support/global-setup.ts'],
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'cloudname',
          include: ['test/cloudname/**/*.test.ts'],
          exclude: ['test/**/*.unit.test.ts'],
          globalSetup: ['test/support/global-setup-zookeeper.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'nodee',
          include: ['test/nodee/**/*.test.ts'],
          exclude: ['test/**/*.unit.test.ts'],
          globalSetup: ['test/support/global-setup-zookeeper.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'cluster',
          include: ['test/cluster/**/*.test.ts'],
          exclude: ['test/**/*.unit.test.ts'],
          globalSetup: ['test/support/global-setup.ts', 'test/support/global-setup-zookeeper.ts'],
        },
      },
    ],
  },
});
