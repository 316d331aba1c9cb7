/**
 * The activities of the auditing power: remote, on task queue `rok-audit`. Each is idempotent and can run without the
 * others.
 */
import { closeRun } from '../audit/judge/close.js';
import { beat } from '../audit/reconcile/beats.js';
import { recordClosed } from '../audit/reconcile/closed.js';
import { signalOverdue } from '../audit/reconcile/signal-overdue.js';
import { reverifySample, type Portion } from '../audit/evidence/reverify.js';
import { searchUnclaimed, type UnclaimedTerms } from '../audit/reconcile/unclaimed-search.js';
import { sweep, type SweepDeps } from '../audit/reconcile/reconciler.js';
import type { TemporalView } from '../audit/reconcile/temporal-view.js';
import type { AuditActivities } from '../domain/protocol/audit.js';

export type AuditActivityDeps = SweepDeps & {
  readonly temporal: TemporalView;
  readonly strays?: UnclaimedTerms;
  /** Of the rolling sample. */
  readonly sample?: Portion;
};

const STRAYS: UnclaimedTerms = { settledMs: 120_000, graceMs: 60_000 };
const SAMPLE: Portion = { runs: 50, events: 20_000 };
/** As long as Temporal waits for them (workflows/reconcile.ts, workflows/activity-proxies.ts): what nobody waits for keeps no connection. */
const PART_MS = 30_000;
const CLOSE_MS = 10_000;

export function createAuditActivities(deps: AuditActivityDeps): AuditActivities {
  const { temporal, log, measure } = deps;
  const within = (ms: number) => ({ ...deps, database: deps.database.until(AbortSignal.timeout(ms)) });
  return {
    'audit.close': ({ run }) => closeRun(within(CLOSE_MS), run),
    'audit.sweep': async () => {
      const timely = within(PART_MS);
      const answer = await sweep(timely);
      await beat(timely.database, 'reconcile');
      measure?.reconciled(new Date());
      return answer;
    },
    'audit.signalOverdue': async () => {
      const { database } = within(PART_MS);
      const early = await recordClosed(database, temporal, log);
      const { nudged, closed } = await signalOverdue(database, temporal, log);
      return { nudged, closed: closed + early };
    },
    'audit.findUnclaimed': async () => ({
      strays: await searchUnclaimed(within(PART_MS).database, temporal, deps.strays ?? STRAYS),
    }),
    'audit.reverify': () => reverifySample(within(PART_MS).database, deps.signer, deps.sample ?? SAMPLE),
  };
}
