import { DefaultLogger, Runtime } from '@temporalio/worker';

// One line per worker start is enough in a test's output.
Runtime.install({ logger: new DefaultLogger('WARN') });
