/** What a list of findings comes to at least. STALE needs more than findings: that nobody finalized the run in time. */
import type { Finding, VerdictStatus } from '../../domain/verdict.js';

export const statusOf = (findings: readonly Finding[]): Exclude<VerdictStatus, 'STALE'> =>
  findings.some((finding) => finding.blocking) ? 'INCOMPLETE' : 'COMPLETE';
