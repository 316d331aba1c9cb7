/**
 * An act on a run by an actor or by a timer: verify, decide, record, and resolve holds. There is one row per update id;
 * a repeat reads that row.
 */
import { RokError } from '../../domain/errors.js';
import type { Actor } from '../../domain/actor.js';
import type { HoldTerms, Reason } from '../../domain/decision.js';
import { iso, ruleId, uuidOf } from '../../domain/ids.js';
import { LOCAL } from '../../domain/person.js';
import { isTerminal } from '../../domain/phases.js';
import { PROFILE_RULES } from '../../domain/profiles.js';
import type {
  ActAnswer,
  ActRequest,
  ActorVerb,
  HoldAnswer,
  HoldRequest,
  HoldResolution,
  DueAnswer,
  ResolveAnswer,
  ResolveRequest,
  Fate,
} from '../../domain/protocol/decide.js';
import { actionOf, isMessageId } from '../../domain/protocol/message.js';
import { isActorClaim } from '../../domain/run-spec.js';
import type { Sql } from '../../domain/sql.js';
import { storable } from '../../domain/text.js';
import { refusal, refused } from './access.js';
import { usedBefore } from './acts.js';
import type { Caller } from './caller.js';
import type { DecideDeps } from '../deps.js';
import { endHold, openHold, readHold, type HoldRow } from '../lifecycle/holds.js';
import { personText, standingOf } from './persons.js';
import { applyRaise, endRaised, heldFor, raisingOf, type Raising } from '../ledger/raise.js';
import { countRefusal } from './refusals.js';
import { lockRow, lockRun, type RunRow } from '../rows/run-row.js';

/** What counts for a quorum, and what lets a run that waits go on. */
const VOICES: readonly ActorVerb[] = ['approve', 'reject'];
const ANSWERS: readonly ActorVerb[] = [...VOICES, 'resume', 'raise_budget'];

type KnownAct = {
  readonly verb: string;
  readonly actor: string;
  readonly allowed: boolean;
  readonly reason: string | null;
  readonly hold: number | null;
  readonly action_digest: string | null;
  readonly was: Fate | null;
};

/** Who asks: the run's own history, or a workflow that carries an act beside it, which is named. */
export type Asking = { readonly history: Caller } | { readonly carrier: string };

/** Verifies and decides what an actor asks, counts the quorum or raises the cap, and resolves the hold where that settles it. */
export async function access(sql: Sql, deps: DecideDeps, asking: Asking, request: ActRequest): Promise<ActAnswer> {
  if (!isMessageId(request.updateId)) throw new RokError('message_invalid', 'the update id is not of the right form');
  const raising = raisingOf(request);
  const digest = raising?.digest ?? actionOf(request);
  const row = 'history' in asking ? await lockRun(sql, request.run, asking.history) : await lockRow(sql, request.run);
  const [known] = await sql.query<KnownAct>(
    'SELECT verb, actor, allowed, reason, hold, action_digest, was FROM decide.acts WHERE run_id = $1 AND update_id = $2',
    [uuidOf(request.run), request.updateId],
  );
  // An id that a signal carries is not kept apart from others by Temporal.
  if (known !== undefined && isAnother(known, request, raising === null ? null : (digest ?? null)))
    return no(known.actor, refused(known.actor, request.verb, 'access.update', 'the update id is of another act'));
  const hold = await holdMeant(sql, request, raising, known);
  if (known !== undefined)
    return known.allowed
      ? allowed(sql, request, known.actor, hold)
      : no(known.actor, { code: 'actor_refused', rule: ruleId('access'), text: known.reason ?? 'refused before' });
  const nowMs = await now(sql);
  const verified = await deps.verifyClaim(request.claim, {
    workflowId: row.workflow_id,
    verb: request.verb,
    updateId: request.updateId,
    ...(digest === undefined ? {} : { actionDigest: digest }),
    nowMs,
    requireAssertion: PROFILE_RULES[row.profile].requireAssertion,
  });
  const why = verified.ok
    ? ((await objection(sql, verified.actor, request, row, hold)) ??
      (await notRaised(sql, verified.actor, request, raising)))
    : verified.reason;
  const actor = verified.ok ? verified.actor : { name: verified.name, roles: [], issuer: 'none', person: null };
  if (why !== null && !(await countRefusal(sql, request, { actor: actor.name, reason: why.text })))
    return no(actor.name, why, true);
  const [written] = await sql.query<Pick<KnownAct, 'allowed' | 'reason' | 'hold'>>(
    `INSERT INTO decide.acts (run_id, update_id, verb, actor, roles, issuer, token_id, assertion, hold, action_digest, allowed, reason, person, carrier, was)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, decide.person_of($13, $14), $15, $16)
    RETURNING allowed, reason, hold`,
    [
      uuidOf(request.run),
      request.updateId,
      request.verb,
      actor.name,
      actor.roles,
      actor.issuer,
      why === null && 'tokenId' in actor ? (actor.tokenId ?? null) : null,
      isActorClaim(request.claim) && 'assertion' in request.claim ? request.claim.assertion : null,
      hold?.hold ?? request.hold ?? null,
      digest ?? null,
      why === null,
      storable(why?.text ?? raising?.raise.reason ?? request.reason ?? '', 2000) || null,
      row.tenant,
      personText(actor.person, actor.name),
      'carrier' in asking ? asking.carrier : null,
      request.verb === 'resume' ? (request.was ?? null) : null,
    ],
  );
  if (why !== null) return no(actor.name, why);
  // The row was judged once more as it was stamped (sql/repeatable/decide/0116_answers_in_time.sql).
  if (written?.allowed !== true)
    return no(actor.name, { code: 'actor_refused', rule: ruleId('access.late'), text: written?.reason ?? 'too late' });
  return allowed(sql, request, actor.name, written.hold === null ? undefined : hold);
}

const no = (actor: string, reason: Reason, counted = false): ActAnswer => ({
  allowed: false,
  actor,
  reason,
  counted,
});
const isAnother = (known: KnownAct, request: ActRequest, raise: string | null): boolean =>
  known.verb !== request.verb ||
  (raise !== null && known.action_digest !== raise) ||
  (request.verb === 'resume' && known.was !== (request.was ?? null));

/** A raise is for the holds that wait for that account, and the act names the first; asked again, the one that it was for. */
async function holdMeant(
  sql: Sql,
  request: ActRequest,
  raising: Raising | null,
  known: KnownAct | undefined,
): Promise<HoldRow | undefined> {
  const number =
    raising === null ? request.hold : known === undefined ? (await heldFor(sql, request.run, raising))[0] : known.hold;
  return number === undefined || number === null ? undefined : readHold(sql, request.run, number);
}

/** Last, because it changes the cap: null where it did, or where nothing is to be raised. */
async function notRaised(sql: Sql, actor: Actor, request: ActRequest, raising: Raising | null): Promise<Reason | null> {
  const failed = raising === null ? null : await applyRaise(sql, request, raising);
  return failed === null ? null : refused(actor.name, request.verb, failed.rule, failed.why);
}

/** Why a verified actor may not have what it asks, by the first rule that says so. */
async function objection(
  sql: Sql,
  actor: Actor,
  request: ActRequest,
  row: RunRow,
  hold: HoldRow | undefined,
): Promise<Reason | null> {
  const by = (rule: string, why: string): Reason => refused(actor.name, request.verb, rule, why);
  const late = stale(request, row, hold);
  if (late !== null) return by('access.state', late);
  if (await usedBefore(sql, actor.tokenId)) return by('access.used', 'the assertion was used before');
  const standing = await standingOf(sql, request.run, hold?.hold ?? null, actor.person);
  const asked = { verb: request.verb, requester: standing.requester };
  const refusing = refusal(actor, hold === undefined ? asked : { ...asked, authority: hold.authority });
  if (refusing !== null) return refusing;
  if (actor.person.issuer === LOCAL && standing.signedBefore && ANSWERS.includes(request.verb))
    return by('access.local', 'somebody signed in this run, so that an answer without an assertion does not count');
  return standing.answeredBefore && VOICES.includes(request.verb)
    ? by('access.one_voice', 'it has answered this hold already')
    : null;
}

/** What the request is about must still be so. */
function stale(request: ActRequest, row: RunRow, hold: HoldRow | undefined): string | null {
  if (isTerminal(row.phase) || row.phase === 'FINALIZING') return 'the run admits nothing more';
  if (request.verb !== 'approve' && request.verb !== 'reject' && request.verb !== 'resume') return null;
  if (hold === undefined || hold.resolution !== null) return 'no such pending hold';
  if (request.verb === 'resume') return notResumed(hold.reason, request.was);
  return request.digest === hold.action_digest ? null : 'the digest is not of the action that is held';
}

function notResumed(reason: string, was: Fate | undefined): string | null {
  if (reason === 'UNKNOWN_RESULT')
    return was === undefined ? 'nobody knows whether the call was done: say `done` or `not_done`' : null;
  if (reason !== 'MANUAL') return `a hold for ${reason} is not resumed but approved or rejected`;
  return was === undefined ? null : 'no call waits to be looked at';
}

async function allowed(sql: Sql, request: ActRequest, actor: string, hold: HoldRow | undefined): Promise<ActAnswer> {
  if (request.verb === 'raise_budget') return raisedBy(sql, request, actor);
  if (hold === undefined) return { allowed: true, actor };
  const [votes] = await sql.query<{ given: number; rejected: boolean }>(
    `SELECT count(*) FILTER (WHERE verb = 'approve')::int AS given, coalesce(bool_or(verb = 'reject'), false) AS rejected
    FROM decide.acts WHERE run_id = $1 AND hold = $2 AND allowed`,
    [uuidOf(request.run), hold.hold],
  );
  const given = votes?.given ?? 0;
  const resolution = resolutionBy(request.verb, votes?.rejected === true, given >= hold.quorum);
  if (resolution !== null && hold.resolution === null) await endHold(sql, request.run, hold, resolution);
  return {
    allowed: true,
    actor,
    given,
    quorum: hold.quorum,
    ...(resolution === null ? {} : { resolution }),
    runDeadlineInMs: await untilDeadline(sql, request.run),
  };
}

async function raisedBy(sql: Sql, request: ActRequest, actor: string): Promise<ActAnswer> {
  const holds = await endRaised(sql, request);
  if (holds.length === 0) return { allowed: true, actor };
  return {
    allowed: true,
    actor,
    holds,
    resolution: 'raised',
    runDeadlineInMs: await untilDeadline(sql, request.run),
  };
}

function resolutionBy(verb: ActorVerb, rejected: boolean, enough: boolean): HoldResolution | null {
  if (verb === 'resume') return 'resumed';
  if (rejected) return 'rejected';
  return enough ? 'approved' : null;
}

/** Opens a hold that no decision asked for: a pause by an actor, an unknown result. */
export async function hold(sql: Sql, caller: Caller, request: HoldRequest): Promise<HoldAnswer> {
  await lockRun(sql, request.run, caller);
  const until = iso(new Date((await now(sql)) + 3_600_000).toISOString());
  const terms: HoldTerms = { reason: request.reason, authority: 'operator', quorum: 1, until, onTimeout: 'terminate' };
  const { step, attempt, by } = request;
  const held = await openHold(sql, request.run, { step, attempt, actionDigest: null, terms, by });
  return {
    hold: held.hold,
    terms: { ...terms, until: iso(held.until) },
    remainingMs: held.remaining_ms,
    resolution: held.resolution,
  };
}

/** A hold's deadline passed, or the run goes on without it. Only database time says that it passed. */
export async function resolve(sql: Sql, caller: Caller, request: ResolveRequest): Promise<ResolveAnswer> {
  await lockRun(sql, request.run, caller);
  const held = await readHold(sql, request.run, request.hold);
  if (held === undefined) throw new RokError('hold_unknown', `run \`${request.run}\` has no hold ${request.hold}`);
  if (held.resolution === null) {
    if (request.resolution === 'timed_out' && held.remaining_ms > 0)
      return { resolved: false, remainingMs: held.remaining_ms };
    await endHold(sql, request.run, held, request.resolution);
  }
  return {
    resolved: true,
    resolution: held.resolution ?? request.resolution,
    onTimeout: held.on_timeout,
    runDeadlineInMs: await untilDeadline(sql, request.run),
  };
}

/** Whether the run is past its deadline, by database time. */
export async function nudge(
  sql: Sql,
  caller: Caller,
  request: { readonly run: HoldRequest['run'] },
): Promise<DueAnswer> {
  await lockRun(sql, request.run, caller);
  const remainingMs = await untilDeadline(sql, request.run);
  return { due: remainingMs <= 0, remainingMs };
}

export async function untilDeadline(sql: Sql, run: HoldRequest['run']): Promise<number> {
  const [row] = await sql.query<{ remaining: number }>(
    'SELECT ceil(extract(epoch FROM run_deadline - clock_timestamp()) * 1000)::float8 AS remaining FROM decide.runs WHERE run_id = $1',
    [uuidOf(run)],
  );
  return row?.remaining ?? 0;
}

async function now(sql: Sql): Promise<number> {
  const [row] = await sql.query<{ now_ms: number }>(
    'SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now_ms',
  );
  return row?.now_ms ?? 0;
}
