/**
 * What jest gives for `@temporalio/worker` (jest.config.mjs): the SDK, set up for tests when the first worker is wanted. Most test
 * files want none, and to load it takes longer than what they test.
 */
import { DefaultLogger, Runtime } from '../../node_modules/@temporalio/worker/lib/index.js';
import './bundles.mjs';

export * from '../../node_modules/@temporalio/worker/lib/index.js';

// One line per worker start is enough in a test's output.
Runtime.install({ logger: new DefaultLogger('WARN') });
