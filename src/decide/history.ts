/** What a run did before this step, as far as rules ask about it: one column of the step's facts. */
import type { PastCall } from './snapshot.js';

export type History = {
  /** Authorities that approved something in this run, in order of name. */
  readonly approvals: readonly string[];
  readonly recent: readonly PastCall[];
  readonly rechecked: boolean;
};

/**
 * Of `decide.runs r`. Calls of the turn at hand are left out, because they may still be in flight: what their siblings see
 * must not depend on who is faster. So are those before a hold for NO_PROGRESS that was approved.
 *
 * Model calls count while no skill was called.
 *
 * @param ask places of the statement's values: step, attempt, action digest, turn
 */
export const historySql = (ask: Readonly<Record<'step' | 'attempt' | 'action' | 'turn', string>>) =>
  `SELECT jsonb_build_object(
    'approvals', (SELECT coalesce(jsonb_agg(DISTINCT h.authority ORDER BY h.authority), '[]') FROM decide.holds h
      WHERE h.run_id = r.run_id AND h.resolution = 'approved' AND h.reason = 'APPROVAL_REQUIRED'),
    'recent', (SELECT coalesce(jsonb_agg(jsonb_build_object('request', l.request_digest, 'result', l.result) ORDER BY l.step DESC, l.attempt DESC), '[]')
      FROM (SELECT d.step, d.attempt, d.request_digest, coalesce(t.content_digest, t.status || ' ' || coalesce(t.code, t.cause)) AS result
        FROM decide.decisions d
        JOIN decide.reservations w ON w.run_id = d.run_id AND w.step = d.step AND w.attempt = d.attempt
        JOIN execute.v_results t ON t.run_id = d.run_id AND t.step = d.step AND t.attempt = d.attempt
        WHERE d.run_id = r.run_id AND d.kind = CASE WHEN coalesce(r.counters -> 'skillCalls', '{}') = '{}' THEN 'model.call' ELSE 'skill.call' END AND w.turn < ${ask.turn}
          AND d.step >= coalesce((SELECT max(h.step) FROM decide.holds h
            WHERE h.run_id = r.run_id AND h.reason = 'NO_PROGRESS' AND h.resolution = 'approved'), 0)
        ORDER BY d.step DESC, d.attempt DESC LIMIT coalesce((r.limits ->> 'noProgress')::int, 5)) l),
    'rechecked', EXISTS (SELECT FROM decide.decisions d WHERE d.run_id = r.run_id AND d.step = ${ask.step}
      AND d.attempt < ${ask.attempt} AND d.action_digest = ${ask.action}))`;
