/**
 * Turns what jest left behind into counts. Pure, so that the ways jest can end badly are easy to test: a file that does
 * not load counts as a failure, so does a run that found nothing, and a run that crashed can never count as passed.
 */

/** @typedef {{ passed: number, failed: number, skipped: number, complaints: string[] }} Counts */

/**
 * @param {any} report jest's JSON report, or undefined when there is none
 * @param {number | null} exitCode null when a signal ended it
 * @returns {Counts}
 */
export function countTests(report, exitCode) {
  if (report === undefined) {
    return { passed: 0, failed: 1, skipped: 0, complaints: [`jest ended (exit code ${exitCode}) without a report`] };
  }
  const unloadable = report.numRuntimeErrorTestSuites ?? 0;
  const counts = {
    passed: report.numPassedTests,
    failed: report.numFailedTests + unloadable,
    skipped: report.numPendingTests + report.numTodoTests,
    complaints: unloadable > 0 ? [`${unloadable} test files could not be run`] : [],
  };
  if (counts.failed > 0) return counts;
  if (counts.passed === 0) return failedBy(counts, 'no test ran');
  return exitCode === 0 ? counts : failedBy(counts, `no test failed, but jest's exit code is ${exitCode}`);
}

/** @param {Pick<Counts, 'passed' | 'failed' | 'skipped'>} counts the last line that every test command prints */
export function countLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

/** @param {Counts} counts @param {string} complaint @returns {Counts} */
function failedBy(counts, complaint) {
  return { ...counts, failed: 1, complaints: [...counts.complaints, complaint] };
}
