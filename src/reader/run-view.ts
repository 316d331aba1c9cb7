/**
 * A run as the front doors show it: one row over the views of login `rok_read`, with the database's time of reading.
 * Belongs to no power: it decides nothing and shows a run without a verdict as such.
 */
import type { HoldReason, Reason } from '../domain/decision.js';
import { asDigest, iso, runIdOf, type Digest, type Iso8601, type RunId } from '../domain/ids.js';
import type { Outcome, Phase } from '../domain/phases.js';
import type { Profile } from '../domain/profiles.js';
import type { Finding, VerdictStatus } from '../domain/verdict.js';
import { shownText, type ShownText } from './shown-text.js';

export type OpenHold = {
  readonly hold: number;
  readonly step: number;
  readonly attempt: number;
  readonly reason: HoldReason;
  readonly authority: string;
  readonly quorum: number;
  readonly given: number;
  readonly openedAt: Iso8601;
  readonly until: Iso8601;
  /** The held action's; null for a hold that no decision asked for. */
  readonly digest: Digest | null;
  /** Kind and target of what waits, and why. */
  readonly what: string;
  /** Of the skill call that waits, at most 4 KiB; null for a hold of anything else. */
  readonly arguments: ShownText | null;
};
const MAX_ARGUMENT_BYTES = 4_096;

/** Money in micro-USD as decimal strings. */
export type RunView = {
  readonly run: RunId;
  readonly tenant: string;
  readonly agent: string;
  readonly workflowId: string;
  readonly phase: Phase;
  readonly outcome: Outcome | null;
  readonly detail: string;
  readonly profile: Profile;
  readonly actor: string;
  readonly steps: number;
  readonly spentMicros: string;
  readonly capMicros: string;
  readonly decisions: { readonly allow: number; readonly deny: number; readonly pause: number };
  /** Calls that a model asked for and that were refused before a decision. */
  readonly refusedCalls: number;
  readonly attempts: number;
  readonly traceEvents: number;
  /** Those that are open, in the order in which they were opened. */
  readonly holds: readonly OpenHold[];
  readonly verdict: VerdictStatus | null;
  readonly findings: readonly Finding[];
  /** Number of the latest receipt in its tenant's chain. */
  readonly receipt: string | null;
  readonly openedAt: Iso8601;
  readonly endedAt: Iso8601 | null;
  readonly runDeadline: Iso8601;
  readonly finalizeDue: Iso8601;
  /** When this was read, by database time. */
  readonly asOf: Iso8601;
};

/** The SELECT of a RunView; a WHERE over `r` (decide.v_runs) follows it. */
export const RUN_VIEW_SQL = `SELECT r.run_id, r.tenant, r.agent, r.workflow_id, r.phase, r.outcome, coalesce(r.detail, '') AS detail,
    r.profile, r.actor ->> 'name' AS actor, r.last_step AS steps, coalesce(w.spent, 0)::text AS spent,
    coalesce((SELECT max(x.to_cap)::text FROM decide.v_raises x WHERE x.run_id = r.run_id AND x.scope = 'run' AND x.unit = 'usd_micros'),
      r.limits ->> 'usdMicros') AS cap, d.allow, d.deny, d.pause, coalesce(w.attempts, 0)::int AS attempts,
    coalesce(t.length, 0)::int AS trace_events,
    (SELECT count(*)::int FROM observe.v_events x WHERE x.run_id = r.run_id AND x.kind = 'call.refused') AS refused_calls, h.open_holds, v.status AS verdict, coalesce(v.findings, '[]') AS findings,
    (SELECT x.n::text FROM audit.v_receipts x WHERE x.run_id = r.run_id ORDER BY x.revision DESC LIMIT 1) AS receipt,
    r.opened_at, r.ended_at, c.run_deadline, c.finalize_due, clock_timestamp() AS as_of
  FROM decide.v_runs r
  LEFT JOIN audit.v_contracts c ON c.run_id = r.run_id
  LEFT JOIN observe.v_heads t ON t.run_id = r.run_id
  LEFT JOIN audit.v_verdicts v ON v.run_id = r.run_id
  LEFT JOIN LATERAL (SELECT sum(x.spent_micros + x.over_micros) AS spent, count(*) FILTER (WHERE x.redeemed_at IS NOT NULL) AS attempts
    FROM decide.v_reservations x WHERE x.run_id = r.run_id) w ON true
  LEFT JOIN LATERAL (SELECT count(*) FILTER (WHERE x.effect = 'allow')::int AS allow,
      count(*) FILTER (WHERE x.effect = 'deny')::int AS deny, count(*) FILTER (WHERE x.effect = 'pause')::int AS pause
    FROM decide.v_decisions x WHERE x.run_id = r.run_id) d ON true
  LEFT JOIN LATERAL (SELECT json_agg(json_build_object('hold', x.hold, 'step', x.step, 'attempt', x.attempt, 'reason', x.reason, 'authority', x.authority, 'quorum', x.quorum,
      'openedAt', to_char(x.opened_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
      'until', to_char(x.until AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'digest', x.action_digest,
      'kind', p.kind, 'target', p.target, 'reasons', p.reasons, 'argumentsDigest', p.arguments_digest,
      'argumentsBase64', encode(substring(s.bytes FOR ${MAX_ARGUMENT_BYTES}), 'base64'), 'argumentsByteCount', s.byte_count,
      'given', (SELECT count(*) FROM decide.v_acts a
        WHERE a.run_id = x.run_id AND a.hold = x.hold AND a.allowed AND a.verb = 'approve')) ORDER BY x.hold) AS open_holds
    FROM decide.v_holds x LEFT JOIN decide.v_decisions p ON (p.run_id, p.step, p.attempt) = (x.run_id, x.step, x.attempt) AND x.reason <> 'MANUAL'
    LEFT JOIN execute.v_shown s ON (s.run_id, s.digest, s.kind) = (x.run_id, p.arguments_digest, 'arguments') AND p.kind = 'skill.call'
    WHERE x.run_id = r.run_id AND x.resolved_at IS NULL) h ON true`;

type HoldJson = Omit<OpenHold, 'what' | 'digest' | 'arguments'> & {
  readonly digest: string | null;
  readonly kind: string | null;
  readonly target: string | null;
  readonly reasons: readonly Reason[] | null;
  readonly argumentsDigest: string | null;
  readonly argumentsBase64: string | null;
  readonly argumentsByteCount: number | null;
};
export type RunViewRow = {
  readonly run_id: string;
  readonly tenant: string;
  readonly agent: string;
  readonly workflow_id: string;
  readonly phase: Phase;
  readonly outcome: Outcome | null;
  readonly detail: string;
  readonly profile: Profile;
  readonly actor: string | null;
  readonly steps: number;
  readonly spent: string;
  readonly cap: string;
  readonly allow: number;
  readonly deny: number;
  readonly pause: number;
  readonly refused_calls: number;
  readonly attempts: number;
  readonly trace_events: number;
  readonly open_holds: readonly HoldJson[] | null;
  readonly verdict: VerdictStatus | null;
  readonly findings: readonly Finding[];
  readonly receipt: string | null;
  readonly opened_at: string;
  readonly ended_at: string | null;
  readonly run_deadline: string;
  readonly finalize_due: string;
  readonly as_of: string;
};

export function toRunView(row: RunViewRow): RunView {
  return {
    run: runIdOf(row.run_id),
    tenant: row.tenant,
    agent: row.agent,
    workflowId: row.workflow_id,
    phase: row.phase,
    outcome: row.outcome,
    detail: row.detail,
    profile: row.profile,
    actor: row.actor ?? 'unknown',
    steps: row.steps,
    spentMicros: row.spent,
    capMicros: row.cap,
    decisions: { allow: row.allow, deny: row.deny, pause: row.pause },
    refusedCalls: row.refused_calls,
    attempts: row.attempts,
    traceEvents: row.trace_events,
    holds: (row.open_holds ?? []).map(toHold),
    verdict: row.verdict,
    findings: row.findings,
    receipt: row.receipt,
    openedAt: iso(row.opened_at),
    endedAt: row.ended_at === null ? null : iso(row.ended_at),
    runDeadline: iso(row.run_deadline),
    finalizeDue: iso(row.finalize_due),
    asOf: iso(row.as_of),
  };
}

function toHold(row: HoldJson): OpenHold {
  const { kind, target, reasons, digest, argumentsDigest, argumentsBase64, argumentsByteCount, ...hold } = row;
  const why = (reasons ?? []).map((reason) => reason.text).join('; ');
  const bytes = argumentsBase64 === null ? null : Buffer.from(argumentsBase64, 'base64');
  return {
    ...hold,
    arguments:
      argumentsDigest === null || kind !== 'skill.call'
        ? null
        : shownText({ digest: argumentsDigest, bytes, byteCount: argumentsByteCount }, MAX_ARGUMENT_BYTES),
    digest: digest === null ? null : asDigest(digest),
    what: kind === null ? hold.reason : `${kind} ${target ?? ''}${why === '' ? '' : `: ${why}`}`,
  };
}
