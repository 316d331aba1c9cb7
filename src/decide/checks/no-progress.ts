/**
 * Check 3: if the same call gives the same result several times in a row, the run is held until a person looks at it.
 * It counts the run's skill calls, regardless of the model calls between them, or its model calls if the agent has no
 * skills.
 */
import type { Snapshot } from '../snapshot.js';
import type { Intent } from '../../domain/intent.js';
import { deny, type CheckResult } from './check.js';

const RULE = 'no-progress';
const HOLD = {
  reason: 'NO_PROGRESS',
  authority: 'operator',
  quorum: 1,
  slaMs: 3_600_000,
  onTimeout: 'terminate',
} as const;

/** A hold for it that was rejected ends the run, in whatever profile it is asked again. */
export const checkStandstillRejected = (snapshot: Snapshot): CheckResult => ({
  objections: snapshot.pastHolds.some((hold) => hold.reason === HOLD.reason && hold.resolution === 'rejected')
    ? [deny('approval_rejected', RULE, 'going on without progress was rejected', true)]
    : [],
});

export function checkNoProgress(intent: Intent, snapshot: Snapshot): CheckResult {
  if (intent.kind !== 'model.call' && intent.kind !== 'skill.call') return { objections: [] };
  const { recent } = snapshot;
  const needed = snapshot.limits.noProgress;
  const [last] = recent;
  if (last === undefined || recent.length < needed) return { objections: [] };
  const pairs = recent.slice(0, needed);
  if (!pairs.every(({ request, result }) => request === last.request && result === last.result))
    return { objections: [] };
  const text = `the last ${needed} calls asked the same and got the same`;
  return {
    objections: [{ effect: 'pause', reason: deny('no_progress', RULE, text, false).reason, terms: HOLD }],
  };
}
