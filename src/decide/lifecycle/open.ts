/**
 * Opens a run: contract, row, budgets and the `run.start` decision in one transaction. A bad spec opens too, as a run that
 * is denied with every problem listed, so that it has its trace, its incident and its verdict.
 */
import { digest, DIGEST_TAGS } from '../../domain/digest.js';
import { NO_CONTEXT } from '../../domain/context.js';
import { runIdOf, type Digest } from '../../domain/ids.js';
import { actionDigest, type Intent } from '../../domain/intent.js';
import { DEFAULT_LIMITS, tighten } from '../../domain/limits.js';
import { PROFILE_RULES, stricter, type Profile } from '../../domain/profiles.js';
import { parseRunSpec, type ParsedSpec, type RunSpec } from '../../domain/run-spec.js';
import { requestDigests } from '../../domain/request-identity.js';
import type { Sql } from '../../domain/sql.js';
import { usedBefore } from '../actors/acts.js';
import type { Caller } from '../actors/caller.js';
import type { DecideDeps } from '../deps.js';
import { writeDecision } from '../rows/decision-row.js';
import { openHold } from './holds.js';
import { identify, type OpenIdentity } from './open-identity.js';
import { insertOpening, insertRun, type Claimant, type NewRun, type OpeningFacts } from '../rows/open-rows.js';
import { compareStart, conflictText } from './repeats.js';
import type { RulesInForce } from '../policies/in-force.js';
import { NotThisHistory } from '../rows/run-row.js';
import { agentFacts, NO_COUNTERS, nothingAsked, type Snapshot } from '../snapshot.js';

export type OpenRequest = { readonly spec: unknown; readonly specText: string; readonly identity: OpenIdentity };
type Problem = Snapshot['problems'][number];

/** @returns the run's uuid, new or the one that this very execution opened before */
export async function openRun(sql: Sql, deps: DecideDeps, caller: Caller, request: OpenRequest): Promise<string> {
  const parsed = parseRunSpec(request.spec);
  const spec = parsed.ok ? parsed.spec : null;
  const known = await identify(sql, caller, request.identity, spec).catch((error: unknown) =>
    refuse(sql, deps, caller, request.spec, error),
  );
  if (known !== null) return known;

  const tenant = spec?.tenant ?? request.identity.tenant;
  const agentName = spec?.agent ?? request.identity.agent;
  const agent = deps.agents.get(agentName) ?? null;
  const facts = await readOpenFacts(sql, tenant, agentName, agent?.digest ?? null);
  const profile = stricter(facts.profile ?? deps.profile, spec?.profile);
  const claimant = await claimantOf(sql, deps, caller, spec, facts.now_ms, profile);
  const limits = tighten(agent?.limits ?? DEFAULT_LIMITS, spec?.limits ?? {});
  const run: NewRun = {
    uuid: deps.newRunUuid(),
    tenant,
    agentName,
    agent,
    callerId: spec?.id ?? null,
    profile,
    specDigest: digest(DIGEST_TAGS.spec, facts.secret, request.specText),
    secret: facts.secret,
    request: spec === null ? null : requestDigests(facts.secret, spec, claimant.person),
    kind: request.identity.kind,
    claimant,
    labels: { ...agent?.labels, ...spec?.labels },
    limits,
    askedDeadlineMs: Math.min(
      spec?.deadline === undefined ? Number.POSITIVE_INFINITY : Date.parse(spec.deadline),
      facts.now_ms + limits.wallTimeMs,
    ),
  };
  const deadlineMs = await insertRun(sql, caller, run);
  if (spec !== null && agent !== null) insertOpening(sql, run.uuid, agent, spec, facts);
  const problems = [
    ...problemsOf(parsed, spec !== null && agent === null ? agentName : null, claimant),
    ...otherTenant(spec, caller),
  ];
  const rules = await deps.sets.of(sql, facts.policy_set);
  await decideStart(
    sql,
    { rules, priceTable: deps.prices.digest },
    run,
    startSnapshot(run, facts, deadlineMs, problems),
  );
  return run.uuid;
}

/** Temporal has forgotten the id, or the execution is a copy: which of them, the request tells. */
async function refuse(sql: Sql, deps: DecideDeps, caller: Caller, spec: unknown, error: unknown): Promise<never> {
  if (!(error instanceof NotThisHistory)) throw error;
  const { workflowId } = caller;
  const compared = await compareStart(sql, deps, { workflowId, spec, run: runIdOf(error.runUuid) });
  throw compared.result === 'another' ? new NotThisHistory(error.runUuid, conflictText(compared)) : error;
}

/** A workflow id that names a tenant, as ROK's own client makes them, is bound into assertions: it must be the spec's. */
function otherTenant(spec: RunSpec | null, { workflowId }: Caller): readonly Problem[] {
  const [prefix, named] = workflowId.split('/');
  if (spec === null || prefix !== 'rok' || named === undefined || named === spec.tenant) return [];
  return [
    {
      code: 'spec_invalid',
      text: `tenant: the workflow id names \`${named.slice(0, 128)}\`, the spec \`${spec.tenant}\``,
    },
  ];
}

function problemsOf(parsed: ParsedSpec, unknownAgent: string | null, claimant: Claimant): readonly Problem[] {
  return [
    ...(parsed.ok ? [] : parsed.problems.map((text): Problem => ({ code: 'spec_invalid', text }))),
    ...(unknownAgent === null
      ? []
      : [{ code: 'agent_unknown' as const, text: `no agent \`${unknownAgent}\` is configured` }]),
    ...(claimant.refused === null || !parsed.ok ? [] : [{ code: 'actor_refused' as const, text: claimant.refused }]),
  ];
}

function startSnapshot(run: NewRun, facts: OpenFacts, deadlineMs: number, problems: readonly Problem[]): Snapshot {
  const { tenant, profile, limits, labels } = run;
  const { name, roles } = run.claimant.actor;
  return {
    nowMs: facts.now_ms,
    run: {
      tenant,
      agent: run.agentName,
      profile,
      openedMs: facts.now_ms,
      deadlineMs,
      outcome: null,
      labels,
      actor: { name, roles },
    },
    agent: agentFacts(run.agent),
    limits,
    counters: NO_COUNTERS,
    halted: facts.halted,
    problems,
    ...nothingAsked(limits),
  };
}

async function decideStart(
  sql: Sql,
  by: { readonly rules: RulesInForce; readonly priceTable: Digest },
  start: NewRun,
  snapshot: Snapshot,
): Promise<void> {
  const intent = startIntent(start.agentName, start.specDigest, 1);
  const { answer } = by.rules.checker.check(intent, snapshot);
  const run = runIdOf(start.uuid);
  writeDecision(sql, {
    run,
    intent,
    actionDigest: actionDigest(intent),
    snapshot,
    answer,
    policySetDigest: by.rules.policies.digest,
    priceTableDigest: by.priceTable,
    counters: NO_COUNTERS,
    phase: answer.ruling.effect === 'allow' ? 'AUTHORIZED' : 'CREATED',
  });
  if (answer.ruling.effect === 'pause')
    await openHold(sql, run, {
      step: 0,
      attempt: 1,
      actionDigest: actionDigest(intent),
      terms: answer.ruling.hold,
      by: 'policy',
    });
}

export const startIntent = (agent: string, specDigest: Digest, attempt: number): Intent => ({
  step: 0,
  attempt,
  kind: 'run.start',
  target: agent,
  argumentsDigest: specDigest,
  contextDigest: NO_CONTEXT,
});

async function claimantOf(
  sql: Sql,
  deps: DecideDeps,
  caller: Caller,
  spec: RunSpec | null,
  nowMs: number,
  profile: Profile,
): Promise<Claimant> {
  const nobody = {
    actor: { name: 'unknown', roles: [], issuer: 'none' },
    person: null,
    tokenId: null,
    assertion: null,
    refused: null,
  };
  // Nobody was verified, so nobody was allowed: the act must not read as an approval.
  if (spec === null) return { ...nobody, refused: 'the spec does not parse' };
  const requireAssertion = PROFILE_RULES[profile].requireAssertion;
  const purpose = { workflowId: caller.workflowId, verb: 'start' as const, nowMs, requireAssertion };
  const verified = await deps.verifyClaim(spec.actor, purpose);
  if (!verified.ok)
    return { ...nobody, actor: { ...nobody.actor, name: verified.name }, refused: verified.reason.text };
  const { tokenId, person, ...actor } = verified.actor;
  if (await usedBefore(sql, tokenId)) return { ...nobody, actor, person, refused: 'the assertion was used before' };
  return {
    actor,
    person,
    tokenId: tokenId ?? null,
    assertion: 'assertion' in spec.actor ? spec.actor.assertion : null,
    refused: null,
  };
}

type OpenFacts = OpeningFacts & {
  /** Under which digests of the spec are made; told to nobody. */
  readonly secret: string;
  readonly now_ms: number;
  readonly profile: Profile | null;
  readonly halted: boolean;
  readonly policy_set: Digest | null;
};

async function readOpenFacts(sql: Sql, tenant: string, agent: string, agentDigest: Digest | null): Promise<OpenFacts> {
  const [facts] = await sql.query<OpenFacts>(
    `SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now_ms,
      (SELECT profile FROM decide.tenants WHERE tenant = $1) AS profile, EXISTS (SELECT FROM decide.halts_over($1, $2)) AS halted,
      (SELECT p.digest FROM decide.policy_set_in_force($1) p) AS policy_set,
      (SELECT p.token_count FROM execute.v_preludes p WHERE p.agent_digest = $3) AS prelude,
      replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '') AS nonce,
      encode(sha256((gen_random_uuid()::text || gen_random_uuid()::text)::bytea), 'hex') AS secret`,
    [tenant, agent, agentDigest],
  );
  if (facts === undefined) throw new Error('the database did not tell the time');
  return facts;
}
