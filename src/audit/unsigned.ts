/** Reads verdicts that wait for a receipt, with everything that the receipt states. Signs nothing. */
import { asDigest, runIdOf, uuidOf, type RunId } from '../domain/ids.js';
import type { Sql } from '../domain/sql.js';
import type { Finding, VerdictStatus } from '../domain/verdict.js';
import { verdictText, type Facts, type Receipt } from './receipt.js';
import { digestsOf, readRecords, recordDigest, type Records } from './records.js';

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
       coalesce(m.finalize_due, c.declared_finalize_due) AS finalize_due
     FROM audit.unsigned u
     JOIN audit.verdicts v ON (v.run_id, v.revision) = (u.run_id, u.revision)
     LEFT JOIN audit.contracts c ON c.run_id = v.run_id
     LEFT JOIN LATERAL (
       SELECT x.run_deadline, x.finalize_due FROM audit.amendments x
       WHERE x.run_id = v.run_id AND x.at <= v.judged_at ORDER BY x.n DESC LIMIT 1) m ON true
     WHERE coalesce(c.tenant, '-') = $1 AND ($2::uuid IS NULL OR u.run_id = $2)
     ORDER BY v.judged_at, v.run_id, v.revision LIMIT $3`,
    [chain, run === undefined ? null : uuidOf(run), limit],
  );
  // A run may wait with two revisions, each with its own acks: so a reading for each turn of revisions.
  const turns = new Map<number, UnsignedRow[]>();
  for (const row of rows) turns.set(row.revision, [...(turns.get(row.revision) ?? []), row]);
  const records = new Map<string, Records>();
  for (const turn of turns.values()) {
    const read = await readRecords(
      sql,
      turn.map((row) => ({ uuid: row.run_id, judgedAt: row.judged_at, full: isFull(row.facts) })),
    );
    for (const row of turn) {
      const found = read.get(row.run_id);
      if (found !== undefined) records.set(keyOf(row), found);
    }
  }
  return rows.map((row) => asUnsigned(row, records.get(keyOf(row))));
}

const keyOf = ({ run_id, revision }: UnsignedRow): string => `${run_id} ${revision}`;

function asUnsigned(row: UnsignedRow, records: Records | undefined): Unsigned {
  if (records === undefined) throw new Error(`the records of \`${row.run_id}\` were not read`);
  const { revision, status, findings, judged_at: judgedAt } = row;
  const run = runIdOf(row.run_id);
  return {
    run,
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
    verdict: { revision, supersedes: revision > 1 ? revision - 1 : null, status, findings, judgedAt },
    facts: isFull(row.facts) ? row.facts : null,
    records: {
      ...digestsOf(run, records),
      verdict: recordDigest('verdict', run, verdictText({ revision, status, findings, judgedAt })),
    },
  };
}

const isFull = (facts: Partial<Facts>): facts is Facts => facts.traceLength !== undefined;
