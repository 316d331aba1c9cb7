/** Reads verdicts that wait for a receipt, with everything that the receipt states. Deliberately reads audit's tables only. */
import { asDigest, runIdOf, uuidOf, type RunId } from '../domain/ids.js';
import type { Sql } from '../domain/sql.js';
import type { Finding, VerdictStatus } from '../domain/verdict.js';
import type { AckRecord, AmendmentRecord, Facts, Receipt } from './receipt.js';

export type Unsigned = Omit<Receipt, 'version' | 'chain' | 'n' | 'prev' | 'run'> & { readonly run: RunId };
type UnsignedRow = {
  readonly run_id: string;
  readonly revision: number;
  readonly status: VerdictStatus;
  readonly findings: readonly Finding[];
  /** Empty for a stray, and where the judge could not read the data. */
  readonly facts: Partial<Facts>;
  readonly judged_at: string;
  readonly digest: string | null;
  readonly tenant: string;
  readonly agent: string;
  readonly profile: string;
  readonly run_deadline: string;
  readonly finalize_due: string;
  readonly expires_at: string;
  readonly amendments: readonly AmendmentRecord[];
  readonly acks: readonly AckRecord[];
};

/** In the order in which they were judged. Acks and amendments up to the verdict: what came after is the next one's. */
export async function readUnsigned(
  sql: Sql,
  chain: string,
  run: RunId | undefined,
  limit: number,
): Promise<readonly Unsigned[]> {
  const rows = await sql.query<UnsignedRow>(
    `SELECT v.run_id, v.revision, v.status, v.findings, v.facts, v.judged_at,
       encode(c.digest, 'hex') AS digest, c.tenant, c.agent, c.profile, c.expires_at,
       coalesce(m.run_deadline, c.declared_run_deadline) AS run_deadline,
       coalesce(m.finalize_due, c.declared_finalize_due) AS finalize_due,
       coalesce(m.list, '[]') AS amendments, coalesce(a.list, '[]') AS acks
     FROM audit.unsigned u
     JOIN audit.verdicts v ON (v.run_id, v.revision) = (u.run_id, u.revision)
     LEFT JOIN audit.contracts c ON c.run_id = v.run_id
     LEFT JOIN LATERAL (
       SELECT (array_agg(x.run_deadline ORDER BY x.n DESC))[1] AS run_deadline,
         (array_agg(x.finalize_due ORDER BY x.n DESC))[1] AS finalize_due,
         json_agg(json_build_object('n', x.n, 'step', x.step, 'attempt', x.attempt, 'hold', x.hold, 'reason', x.reason,
           'runDeadline', audit.iso(x.run_deadline), 'finalizeDue', audit.iso(x.finalize_due), 'at', audit.iso(x.at))
           ORDER BY x.n) AS list
       FROM audit.amendments x WHERE x.run_id = v.run_id AND x.at <= v.judged_at) m ON true
     LEFT JOIN LATERAL (
       SELECT json_agg(json_build_object('n', x.n, 'domain', x.domain, 'action', x.action, 'status', x.status,
         'evidence', x.evidence::text, 'by', x.by, 'at', audit.iso(x.at)) ORDER BY x.n) AS list
       FROM audit.acks x WHERE x.run_id = v.run_id AND x.at <= v.judged_at) a ON true
     WHERE coalesce(c.tenant, '-') = $1 AND ($2::uuid IS NULL OR u.run_id = $2)
     ORDER BY v.judged_at, v.run_id, v.revision LIMIT $3`,
    [chain, run === undefined ? null : uuidOf(run), limit],
  );
  return rows.map(asUnsigned);
}

function asUnsigned(row: UnsignedRow): Unsigned {
  const { revision, status, findings, judged_at: judgedAt } = row;
  return {
    run: runIdOf(row.run_id),
    contract:
      row.digest === null
        ? null
        : {
            digest: asDigest(row.digest),
            tenant: row.tenant,
            agent: row.agent,
            profile: row.profile,
            runDeadline: row.run_deadline,
            finalizeDue: row.finalize_due,
            expiresAt: row.expires_at,
          },
    amendments: row.amendments,
    acks: row.acks,
    verdict: { revision, supersedes: revision > 1 ? revision - 1 : null, status, findings, judgedAt },
    facts: isFull(row.facts) ? row.facts : null,
  };
}

const isFull = (facts: Partial<Facts>): facts is Facts => facts.traceLength !== undefined;
