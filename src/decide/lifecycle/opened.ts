/** The answer of `decide.open`, read back from the rows, so that a repeated open gives the same answer. */
import type { Agent } from '../../domain/agent.js';
import type { Ruling } from '../../domain/decision.js';
import { iso, runIdOf, type Digest } from '../../domain/ids.js';
import type { InputCommitment } from '../../domain/input-commitment.js';
import type { Phase } from '../../domain/phases.js';
import type { Profile } from '../../domain/profiles.js';
import type { Opened } from '../../domain/protocol/decide.js';
import type { Sql } from '../../domain/sql.js';

type OpenedRow = {
  readonly tenant: string;
  readonly agent: string;
  readonly profile: Profile;
  readonly phase: Phase;
  readonly agent_digest: Digest | null;
  readonly contract_digest: Digest;
  readonly spec_digest: Digest;
  readonly labels: Readonly<Record<string, string>>;
  readonly limits: { readonly steps: number; readonly usdMicros: string };
  readonly body: Ruling;
  readonly run_deadline: string;
  readonly finalize_due: string;
  readonly expires_at: string;
  readonly remaining_ms: number;
  readonly grace_ms: number;
  readonly opening: InputCommitment | null;
  readonly arguments_salt: string | null;
};

export async function readOpened(sql: Sql, uuid: string, agents: ReadonlyMap<string, Agent>): Promise<Opened> {
  const [row] = await sql.query<OpenedRow>(
    `SELECT r.tenant, r.agent, r.profile, r.phase, r.agent_digest, r.contract_digest, r.spec_digest, r.labels, r.limits, d.body,
      c.run_deadline, c.finalize_due, c.expires_at,
      ceil(extract(epoch FROM c.run_deadline - clock_timestamp()) * 1000)::float8 AS remaining_ms,
      (extract(epoch FROM c.finalize_due - c.run_deadline) * 1000)::float8 AS grace_ms,
      (SELECT jsonb_build_object('digest', o.digest, 'nonce', o.nonce, 'tokens', o.token_count)
        FROM decide.openings o WHERE o.run_id = r.run_id) AS opening,
      (SELECT encode(sha256(convert_to('rok.own-arguments.v1' || q.nonce, 'UTF8')), 'hex')
        FROM decide.requests q WHERE q.run_id = r.run_id AND r.kind = 'own') AS arguments_salt
    FROM decide.runs r JOIN audit.v_contracts c USING (run_id)
    JOIN LATERAL (SELECT body FROM decide.decisions WHERE run_id = r.run_id AND kind = 'run.start' ORDER BY attempt DESC LIMIT 1) d ON true
    WHERE r.run_id = $1`,
    [uuid],
  );
  if (row === undefined) throw new Error('the run just opened is not there');
  const agent = agents.get(row.agent);
  return {
    run: runIdOf(uuid),
    tenant: row.tenant,
    agent: row.agent,
    profile: row.profile,
    phase: row.phase,
    ruling: row.body,
    agentDigest: row.agent_digest,
    contractDigest: row.contract_digest,
    specDigest: row.spec_digest,
    model: agent?.model ?? null,
    maxOutputTokens: agent?.maxOutputTokens ?? 0,
    steps: row.limits.steps,
    capMicros: row.limits.usdMicros,
    runDeadline: iso(row.run_deadline),
    finalizeDue: iso(row.finalize_due),
    expiresAt: iso(row.expires_at),
    remainingMs: row.remaining_ms,
    graceMs: Math.round(row.grace_ms),
    labels: row.labels,
    ...(row.opening === null ? {} : { opening: row.opening }),
    ...(row.arguments_salt === null ? {} : { argumentsSalt: row.arguments_salt }),
  };
}
