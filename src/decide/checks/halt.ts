/** Check 1: a halt on everything, the tenant or the agent. In force in every profile. */
import type { CheckResult } from './check.js';
import { deny } from './check.js';
import type { Snapshot } from '../snapshot.js';

export const checkHalt = (snapshot: Snapshot): CheckResult => ({
  objections: snapshot.halted ? [{ ...deny('halted', 'halt', 'a halt is in force', true), always: true }] : [],
});
