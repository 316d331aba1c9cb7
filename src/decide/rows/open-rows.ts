/** The rows that make a run: the contract first, then the run with its history, its first act and its budgets. */
import type { Agent } from '../../domain/agent.js';
import type { Digest } from '../../domain/ids.js';
import { CanonicalJsonError } from '../../domain/canonical-json.js';
import type { Json } from '../../domain/json.js';
import type { Limits } from '../../domain/limits.js';
import { inputText, inputCommitmentDigest } from '../../domain/input-commitment.js';
import type { PersonKey } from '../../domain/person.js';
import type { Profile } from '../../domain/profiles.js';
import type { RequestDigests } from '../../domain/request-identity.js';
import type { RunSpec } from '../../domain/run-spec.js';
import type { Sql } from '../../domain/sql.js';
import { tokenUpperBound } from '../../domain/tokens.js';
import type { Caller } from '../actors/caller.js';
import type { RunKind } from '../lifecycle/open-identity.js';
import { personText } from '../actors/persons.js';

/** Who asked, as verified or as far as is known. */
export type Claimant = {
  readonly actor: { readonly name: string; readonly roles: readonly string[]; readonly issuer: string };
  /** Null where nobody was verified. */
  readonly person: PersonKey | null;
  readonly tokenId: string | null;
  readonly assertion: string | null;
  readonly refused: string | null;
};

export type NewRun = {
  readonly uuid: string;
  readonly tenant: string;
  readonly agentName: string;
  readonly agent: Agent | null;
  readonly callerId: string | null;
  readonly profile: Profile;
  readonly specDigest: Digest;
  readonly secret: string;
  readonly request: RequestDigests | null;
  readonly kind: RunKind;
  readonly claimant: Claimant;
  readonly labels: Readonly<Record<string, string>>;
  readonly limits: Limits;
  /** Milliseconds since the Unix epoch: the earlier of the deadline asked for and the wall time allowed. */
  readonly askedDeadlineMs: number;
};

/** @returns the run's deadline, milliseconds since the Unix epoch */
export async function insertRun(sql: Sql, caller: Caller, run: NewRun): Promise<number> {
  const contract = await declare(sql, run);
  void sql.query(
    `INSERT INTO decide.runs (run_id, tenant, agent, caller_id, workflow_id, temporal_run_id, phase, profile, spec_digest,
      agent_digest, actor, labels, limits, contract_digest, run_deadline, kind, requester, request_digest)
    VALUES ($1, $2, $3, $4, $5, $6, 'CREATED', $7, $8, $9, $10, $11, $12, $13, $14, $15, decide.person_of($16, $17), $18)`,
    [
      run.uuid,
      run.tenant,
      run.agentName,
      run.callerId,
      caller.workflowId,
      caller.temporalRunId,
      run.profile,
      run.specDigest,
      run.agent?.digest ?? null,
      JSON.stringify(run.claimant.actor),
      JSON.stringify(run.labels),
      JSON.stringify(run.limits),
      contract.digest,
      contract.run_deadline,
      run.kind,
      run.tenant,
      personText(run.claimant.person, run.claimant.actor.name),
      run.request?.whole ?? null,
    ],
  );
  insertBeside(sql, caller, run);
  return Math.floor(contract.deadline_ms);
}

function insertBeside(sql: Sql, caller: Caller, { uuid, claimant, limits, agent, secret, request }: NewRun): void {
  const { actor } = claimant;
  void sql.query(
    `WITH q AS (INSERT INTO decide.requests (run_id, nonce, field_digests) VALUES ($1, $14, $15)),
      h AS (INSERT INTO decide.histories (run_id, temporal_run_id, workflow_id, reason) VALUES ($1, $2, $3, 'open')),
      a AS (INSERT INTO decide.acts (run_id, update_id, verb, actor, roles, issuer, token_id, assertion, allowed, reason, person)
        VALUES ($1, 'start', 'start', $4, $5, $6, $7, $8, $9, $10, (SELECT r.requester FROM decide.runs r WHERE r.run_id = $1)))
    INSERT INTO decide.budgets (scope, subject, unit, time_window, cap, on_breach)
      VALUES ('run', $1::text, 'usd_micros', 'run', $11, $13), ('run', $1::text, 'tokens', 'run', $12, 'deny')`,
    [
      uuid,
      caller.temporalRunId,
      caller.workflowId,
      actor.name,
      actor.roles,
      actor.issuer,
      claimant.tokenId,
      claimant.assertion,
      claimant.refused === null,
      claimant.refused,
      limits.usdMicros,
      limits.tokens,
      // A cheaper model costs less; it does not take fewer tokens.
      agent?.downgrade === undefined ? 'deny' : 'downgrade',
      secret,
      request === null ? null : JSON.stringify(request.fields),
    ],
  );
}

/** What the opening of a run is made of, beside its spec. */
export type OpeningFacts = {
  readonly nonce: string;
  /** Tokens of what the agent brings to a conversation; null where no execute worker has counted it. */
  readonly prelude: number | null;
};

/** Commits to the input before anything of it is stored. What has no one text is left to be prepared. */
export function insertOpening(sql: Sql, uuid: string, agent: Agent, spec: RunSpec, facts: OpeningFacts): void {
  const input = textOf(spec.input);
  if (input === null || facts.prelude === null) return;
  void sql.query('INSERT INTO decide.openings (run_id, digest, nonce, token_count) VALUES ($1, $2, $3, $4)', [
    uuid,
    inputCommitmentDigest(facts.nonce, agent.digest, input),
    facts.nonce,
    facts.prelude + tokenUpperBound(Buffer.byteLength(input, 'utf8')),
  ]);
}

function textOf(input: Json): string | null {
  try {
    return inputText(input);
  } catch (error) {
    if (error instanceof CanonicalJsonError) return null;
    throw error;
  }
}

type Declared = { readonly digest: string; readonly run_deadline: string; readonly deadline_ms: number };

async function declare(sql: Sql, run: NewRun): Promise<Declared> {
  const [contract] = await sql.query<Declared>(
    `SELECT encode(c.digest, 'hex') AS digest, c.run_deadline, (extract(epoch FROM c.run_deadline) * 1000)::float8 AS deadline_ms
    FROM audit.declare($1, $2, $3, $4, to_timestamp($5::float8 / 1000)) c`,
    [run.uuid, run.tenant, run.agentName, run.profile, run.askedDeadlineMs],
  );
  if (contract === undefined) throw new Error('the contract just declared is not there');
  return contract;
}
