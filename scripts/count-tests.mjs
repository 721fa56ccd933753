/**
 * Prints "<passed> <failed>" from Vitest's JSON report. Arguments: the report, the exit code of the run. A file that
 * could not be loaded counts as one failure, and so does a run that failed without a failing test.
 */
import { readFileSync } from 'node:fs';

const [report, exitCode] = process.argv.slice(2);

function count() {
  const { numPassedTests, numFailedTests, numPendingTests, testResults } = JSON.parse(readFileSync(report, 'utf8'));
  if (numPendingTests > 0) console.error(`${numPendingTests} tests were skipped, for the reasons given above`);
  const brokenFiles = testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
  );
  return { passed: numPassedTests, failed: numFailedTests + brokenFiles.length };
}

function countOrNothing() {
  try {
    return count();
  } catch (error) {
    console.error(`the test run left no report: ${error.message}`);
    return { passed: 0, failed: 1 };
  }
}

const { passed, failed } = countOrNothing();
console.log(passed, exitCode === '0' || failed > 0 ? failed : 1);
