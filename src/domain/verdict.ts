/**
 * The verdict of the audit contract, and every finding that it can name. docs/operations.md (STALE and repair) explains
 * for each code what it says of which subject and what to do.
 */
import type { RunId } from './ids.js';

export const BLOCKING_FINDINGS = [
  'MISSING',
  'FAILED',
  'ROLLED_BACK',
  'HOLLOW',
  'NO_CONTRACT',
  'UNWARRANTED',
  'MISMATCH',
  'TRACE_BROKEN',
  'ALTERED',
  'OVERRUN',
  'FORGED_APPROVAL',
  'UNKNOWN_RESULT',
  'JUDGE_ERROR',
] as const;
/** `UNKNOWN_RESULT` and `LATE` are notes or blocking by what they are about; see `blocking` of the finding. */
export const NOTE_FINDINGS = ['LATE', 'DRIFT', 'REFUSED_HISTORY'] as const;
export type FindingCode = (typeof BLOCKING_FINDINGS)[number] | (typeof NOTE_FINDINGS)[number];

export type Finding = {
  readonly code: FindingCode;
  readonly blocking: boolean;
  readonly subject: string;
  readonly detail: string;
};
export const VERDICT_STATUSES = ['COMPLETE', 'INCOMPLETE', 'STALE'] as const;
export type VerdictStatus = (typeof VERDICT_STATUSES)[number];
/** @public The shape that receipts and readers of the verdict share. */
export type Verdict = {
  readonly run: RunId;
  readonly revision: number;
  readonly status: VerdictStatus;
  readonly findings: readonly Finding[];
};
