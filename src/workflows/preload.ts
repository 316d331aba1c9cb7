/**
 * The modules that all workflows of the control worker use, evaluated once per workflow thread instead of once per run.
 * Only for modules without state, because every run on the thread shares them.
 */
import './governed-run.js';
import './repair.js';

// The SDK notes the stack of every promise and maps each of its frames to its source. Four frames still show where an error
// was thrown; ten, the default, cost a sixth of the workflow thread's time.
Error.stackTraceLimit = 4;
