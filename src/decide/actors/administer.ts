/**
 * Acts that concern no single run: halts and policies. They are verified and authorized like acts on a run, recorded
 * whether allowed or not, and done once per workflow that carries them. A halt evaluates no policy set, so that it
 * works while a set is broken.
 */
import { RokError } from '../../domain/errors.js';
import { isRunId, runIdOf, uuidOf, type RunId } from '../../domain/ids.js';
import { PROFILE_RULES } from '../../domain/profiles.js';
import {
  actDigest,
  parseAdministration,
  type Acted,
  type AdminAct,
  type Administered,
  type Administration,
  type SteeredBeside,
} from '../../domain/protocol/administer.js';
import { readMessage } from '../../domain/protocol/message.js';
import { isActorClaim } from '../../domain/run-spec.js';
import type { Sql } from '../../domain/sql.js';
import { storable } from '../../domain/text.js';
import { refusal, refused, type VerifiedClaim } from './access.js';
import { usedBefore } from './acts.js';
import type { DecideDeps } from '../deps.js';
import { openHolds } from '../lifecycle/holds.js';
import { liftHalts, setHalt } from './halts.js';
import { publish, unfit } from '../policies/publish.js';
import { replay } from '../policies/replay.js';
import { recompute } from '../step/recompute.js';
import { compareStart } from '../lifecycle/repeats.js';
import { access } from './act.js';

type Act = Extract<Administration, { ask: 'act' }>;
type Refusal = Pick<Extract<Acted, { allowed: false }>, 'code' | 'reason'>;

/** @throws RokError `usage` for what is none of the things that can be asked */
export async function administer(
  sql: Sql,
  deps: DecideDeps,
  workflowId: string,
  value: unknown,
): Promise<Administered> {
  const request = parseAdministration(value);
  if (request === null)
    throw new RokError('usage', 'it is neither an act with its claim and reason, nor a look at decisions');
  switch (request.ask) {
    case 'act':
      return { ask: 'act', ...(await act(sql, deps, workflowId, request)) };
    case 'steer':
      return { ask: 'steer', ...(await steerBeside(sql, deps, workflowId, request)) };
    case 'recompute':
      return { ask: 'recompute', ...(await recompute(sql, deps.sets, request)) };
    case 'same':
      return { ask: 'same', ...(await compareStart(sql, deps, request)) };
    case 'replay':
      return { ask: 'replay', ...(await replay(sql, deps.sets, request)) };
  }
}

/** Read, verified and decided as by the run itself, and kept with its acts; the run is told by whoever carries it. */
async function steerBeside(
  sql: Sql,
  deps: DecideDeps,
  carrier: string,
  { run: name, verb, updateId, said }: Extract<Administration, { ask: 'steer' }>,
): Promise<SteeredBeside> {
  const read = readMessage(verb, updateId, said);
  if (!read.ok) throw new RokError('message_invalid', read.problem);
  const [run] = await sql.query<{ run_id: string; workflow_id: string }>(
    'SELECT run_id, workflow_id FROM decide.runs WHERE workflow_id = $1 OR run_id = $2',
    [name, isRunId(name) ? uuidOf(name) : null],
  );
  if (run === undefined) throw new RokError('run_unknown', `no run \`${name}\``);
  const id = runIdOf(run.run_id);
  const hold = read.message.hold ?? (verb === 'resume' ? await pausedBy(sql, id) : undefined);
  const asked = { run: id, ...read.message, ...(hold === undefined ? {} : { hold }) };
  return { answer: await access(sql, deps, { carrier }, asked), workflowId: run.workflow_id };
}

/** The hold that `resume` ends; the run itself knows it. */
async function pausedBy(sql: Sql, run: RunId): Promise<number | undefined> {
  const held = await openHolds(sql, run);
  return (held.find(({ reason }) => reason === 'MANUAL') ?? held.find((one) => one.action_digest === null))?.hold;
}

type Known = Refusal & {
  readonly action_digest: string;
  readonly actor: string;
  readonly allowed: boolean;
  readonly changed: readonly string[];
};

async function act(sql: Sql, deps: DecideDeps, workflowId: string, request: Act): Promise<Acted> {
  const digest = actDigest(request.act);
  await sql.query(`SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, [workflowId]);
  const [known] = await sql.query<Known>(
    'SELECT action_digest, actor, allowed, code, reason, changed FROM decide.admin_acts WHERE workflow_id = $1',
    [workflowId],
  );
  if (known !== undefined && known.action_digest !== digest)
    throw new RokError('usage', 'another act was asked for by a workflow of this id');
  if (known !== undefined)
    return known.allowed ? { allowed: true, actor: known.actor, changed: known.changed } : no(known);
  const verified = await verifiedFor(sql, deps, workflowId, request);
  const actor = verified.ok ? verified.actor : { name: verified.name, roles: [], issuer: 'none' };
  const why = await objection(sql, deps, verified, request.act);
  const changed = why === null ? await done(sql, request.act, actor.name) : [];
  await sql.query(
    `INSERT INTO decide.admin_acts (workflow_id, verb, subject, action_digest, actor, roles, issuer, token_id, assertion, allowed, code, reason, changed)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
    [
      workflowId,
      request.act.verb,
      request.act.verb === 'policy.publish' ? request.act.tenant : request.act.subject,
      digest,
      actor.name,
      actor.roles,
      actor.issuer,
      why === null && 'tokenId' in actor ? (actor.tokenId ?? null) : null,
      isActorClaim(request.claim) && 'assertion' in request.claim ? request.claim.assertion : null,
      why === null,
      why?.code ?? null,
      why?.reason ?? request.act.reason,
      changed,
    ],
  );
  return why === null ? { allowed: true, actor: actor.name, changed } : no({ actor: actor.name, ...why });
}

const no = ({ actor, code, reason }: Refusal & { readonly actor: string }): Acted => ({
  allowed: false,
  actor,
  code,
  reason,
});

/** Where any tenant that the act reaches asks for an assertion, a local actor will not do. */
async function verifiedFor(
  sql: Sql,
  deps: DecideDeps,
  workflowId: string,
  { act: asked, claim }: Act,
): Promise<VerifiedClaim> {
  const tenant = asked.verb === 'policy.publish' ? asked.tenant : (asked.subject.split('/')[0] ?? '');
  const [facts] = await sql.query<{ now_ms: number; strict: boolean }>(
    `SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now_ms,
      EXISTS (SELECT FROM decide.tenants t WHERE t.profile = 'STRICT' AND ($1 = '' OR t.tenant = $1)) AS strict`,
    [tenant],
  );
  return deps.verifyClaim(claim, {
    workflowId,
    verb: asked.verb,
    actionDigest: actDigest(asked),
    nowMs: facts?.now_ms ?? 0,
    requireAssertion: PROFILE_RULES[deps.profile].requireAssertion || (facts?.strict ?? true),
  });
}

async function objection(
  sql: Sql,
  deps: DecideDeps,
  verified: VerifiedClaim,
  asked: AdminAct,
): Promise<Refusal | null> {
  const actor = verified.ok ? verified.actor : null;
  const why =
    actor === null || !verified.ok
      ? verified.ok
        ? null
        : verified.reason
      : (await usedBefore(sql, actor.tokenId))
        ? refused(actor.name, asked.verb, 'access.used', 'the assertion was used before')
        : refusal(actor, { verb: asked.verb, requester: null });
  if (why !== null) return { code: 'actor_refused', reason: storable(why.text, 2000) };
  if (asked.verb !== 'policy.publish') return null;
  const wrong = unfit(asked.source, deps.agents);
  return wrong === null ? null : { code: wrong.code, reason: storable(wrong.problems.join('; '), 2000) };
}

function done(sql: Sql, asked: AdminAct, by: string): Promise<readonly string[]> {
  switch (asked.verb) {
    case 'halt.set':
      return setHalt(sql, asked, by);
    case 'halt.lift':
      return liftHalts(sql, asked, by);
    case 'policy.publish':
      return publish(sql, asked, by);
  }
}
