/** Reads the acts that were allowed beside a run (workflow `administer`), so that the run's own history can do them. */
import { uuidOf } from '../../domain/ids.js';
import type {
  ActorVerb,
  Fate,
  HoldResolution,
  LookAnswer,
  LookRequest,
  SideAct,
} from '../../domain/protocol/decide.js';
import type { BudgetRaise } from '../../domain/protocol/raise.js';
import type { Sql } from '../../domain/sql.js';
import type { Caller } from './caller.js';
import { lockRun } from '../rows/run-row.js';
import { untilDeadline } from './act.js';

const AT_ONCE = 64;

type Row = {
  readonly verb: ActorVerb;
  readonly update_id: string;
  readonly actor: string;
  readonly hold: number | null;
  readonly resolution: HoldResolution | null;
  readonly given: number;
  readonly was: Fate | null;
  readonly holds: readonly number[] | null;
  readonly raise: BudgetRaise | null;
};

/** Acts are written under the run's lock, so those that were seen stay the first. */
export async function look(sql: Sql, caller: Caller, { run, seen }: LookRequest): Promise<LookAnswer> {
  await lockRun(sql, run, caller);
  const rows = await sql.query<Row>(
    `SELECT a.verb, a.update_id, a.actor, a.hold, a.was, h.resolution,
      (SELECT count(*)::int FROM decide.acts v
        WHERE v.run_id = a.run_id AND v.hold = a.hold AND v.verb = 'approve' AND v.allowed) AS given,
      CASE WHEN r.run_id IS NOT NULL THEN jsonb_build_object('scope', r.scope, 'subject', r.subject, 'unit', r.unit,
        'window', r.time_window, 'from', r.from_cap::text, 'to', r.to_cap::text, 'reason', coalesce(a.reason, '')) END AS raise,
      CASE WHEN r.run_id IS NOT NULL THEN decide.raised_holds(a.run_id, a.update_id) END AS holds
    FROM decide.acts a
    LEFT JOIN decide.holds h USING (run_id, hold)
    LEFT JOIN decide.v_raises r USING (run_id, update_id)
    WHERE a.run_id = $1 AND a.allowed AND a.carrier IS NOT NULL
    ORDER BY a.at, a.update_id OFFSET $2 LIMIT $3`,
    [uuidOf(run), seen, AT_ONCE + 1],
  );
  return {
    acts: rows.slice(0, AT_ONCE).map(told),
    more: rows.length > AT_ONCE,
    runDeadlineInMs: await untilDeadline(sql, run),
  };
}

const told = ({ verb, update_id: updateId, actor, hold, given, was, resolution, holds, raise }: Row): SideAct => ({
  verb,
  updateId,
  actor,
  ...(holds === null ? (hold === null ? {} : { hold, given }) : { holds }),
  ...resolvedBy(holds, resolution),
  ...(was === null ? {} : { was }),
  ...(raise === null ? {} : { raise }),
});

/** Of a raise, the hold that its act names may be none that it ended, and the other way round. */
function resolvedBy(holds: Row['holds'], resolution: Row['resolution']): Pick<SideAct, 'resolution'> {
  if (holds !== null) return holds.length === 0 ? {} : { resolution: 'raised' };
  return resolution === null ? {} : { resolution };
}
