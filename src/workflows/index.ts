/** The workflow types of the control worker's bundle. */
export { administer } from './administer.js';
export { governedRun } from './governed-run.js';
export { repair } from './repair.js';
