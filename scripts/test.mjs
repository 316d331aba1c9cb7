/**
 * `npm test`: every test, or those that the arguments name as jest's arguments do. The last line is
 * `N passed, N failed`, whatever happened, and the exit code agrees with it.
 */
import { fileURLToPath } from 'node:url';
import { runTests } from './run-tests.mjs';
import { say } from './say.mjs';
import { countLine } from './test-result.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const counts = await runTests(root, process.argv.slice(2));
for (const complaint of counts.complaints) say(complaint);
console.log(countLine(counts));
process.exitCode = counts.failed === 0 ? 0 : 1;
