/**
 * The mildest status that a list of findings allows. STALE does not follow from findings: it says that the run was not
 * finalized in time.
 */
import type { Finding, VerdictStatus } from '../../domain/verdict.js';

export const statusOf = (findings: readonly Finding[]): Exclude<VerdictStatus, 'STALE'> =>
  findings.some((finding) => finding.blocking) ? 'INCOMPLETE' : 'COMPLETE';
