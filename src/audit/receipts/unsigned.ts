/**
 * Reads verdicts that wait for a receipt, with everything that the receipt states, and rules on their rows again.
 * Verdicts that the rows do not confirm are returned apart and must not be signed. Signs nothing.
 */
import { asDigest, runIdOf, uuidOf, type RunId } from '../../domain/ids.js';
import type { Sql } from '../../domain/sql.js';
import type { Finding, VerdictStatus } from '../../domain/verdict.js';
import { verdictText, type Facts, type Receipt } from './receipt.js';
import { digestsOf, readRecords, recordDigest, type Records } from '../evidence/records.js';

export type Unsigned = Omit<Receipt, 'version' | 'chain' | 'n' | 'prev' | 'run'> & { readonly run: RunId };
type UnsignedRow = {
  readonly run_id: string;
  readonly revision: number;
  readonly status: VerdictStatus;
  readonly findings: readonly Finding[];
  /** Counted now; null for a stray, and where the judge could not read the data. */
  readonly facts: Facts | null;
  readonly why: string | null;
  readonly due: boolean;
  readonly judged_at: string;
  readonly digest: string | null;
  readonly tenant: string;
  readonly agent: string;
  readonly profile: string;
  readonly run_deadline: string;
  readonly finalize_due: string;
  readonly expires_at: string;
};

/** A verdict that its rows do not bear out. */
export type NotBorneOut = {
  readonly run: RunId;
  readonly revision: number;
  readonly why: string;
  /** The judge has it on its list already: there is news, which is nobody's offence. */
  readonly due: boolean;
};
/** Which verdicts of a chain: of one run, or all but those of some runs; the oldest first. */
export type Wanted = { readonly run?: RunId; readonly without?: readonly RunId[]; readonly limit: number };

const WAITING = `SELECT u.run_id, u.revision FROM audit.unsigned u
     JOIN audit.verdicts v ON (v.run_id, v.revision) = (u.run_id, u.revision)
     LEFT JOIN audit.contracts c ON c.run_id = u.run_id
     WHERE coalesce(c.tenant, '-') = $1 AND ($2::uuid IS NULL OR u.run_id = $2) AND u.run_id <> ALL ($3::uuid[])
     ORDER BY v.judged_at, u.run_id, u.revision LIMIT $4`;
const wantedValues = (chain: string, { run, without = [], limit }: Wanted): readonly unknown[] => [
  chain,
  run === undefined ? null : uuidOf(run),
  without.map(uuidOf),
  limit,
];

/** The run whose verdict waits longest. */
export async function firstWaiting(sql: Sql, chain: string, wanted: Omit<Wanted, 'limit'>): Promise<RunId | null> {
  const [first] = await sql.query<{ run_id: string }>(WAITING, wantedValues(chain, { ...wanted, limit: 1 }));
  return first === undefined ? null : runIdOf(first.run_id);
}

/** In the order in which they were judged. Acks and amendments up to the verdict: what came after is the next one's. */
export async function readUnsigned(
  sql: Sql,
  chain: string,
  wanted: Wanted,
): Promise<{ readonly borneOut: readonly Unsigned[]; readonly not: readonly NotBorneOut[] }> {
  const all = await sql.query<UnsignedRow>(
    `WITH waiting AS MATERIALIZED (${WAITING})
     SELECT v.run_id, v.revision, v.status, v.findings, a.facts, a.why, a.due, v.judged_at,
       encode(c.digest, 'hex') AS digest, c.tenant, c.agent, c.profile, c.expires_at,
       coalesce(m.run_deadline, c.declared_run_deadline) AS run_deadline,
       coalesce(m.finalize_due, c.declared_finalize_due) AS finalize_due
     FROM audit.rule_again((SELECT array_agg(w.run_id) FROM waiting w), (SELECT array_agg(w.revision) FROM waiting w)) a
     JOIN audit.verdicts v ON (v.run_id, v.revision) = (a.run_id, a.revision)
     LEFT JOIN audit.contracts c ON c.run_id = v.run_id
     LEFT JOIN LATERAL (
       SELECT x.run_deadline, x.finalize_due FROM audit.amendments x
       WHERE x.run_id = v.run_id AND x.at <= v.judged_at ORDER BY x.n DESC LIMIT 1) m ON true
     ORDER BY v.judged_at, v.run_id, v.revision`,
    wantedValues(chain, wanted),
  );
  // Of a run at most one: an earlier revision than the one that stands is not borne out.
  const rows = all.filter((row) => row.why === null);
  const records = await readRecords(
    sql,
    rows.map((row) => ({ uuid: row.run_id, judgedAt: row.judged_at, full: row.facts !== null })),
  );
  return {
    borneOut: rows.map((row) => asUnsigned(row, records.get(row.run_id))),
    not: all.flatMap(({ run_id, revision, why, due }) =>
      why === null ? [] : [{ run: runIdOf(run_id), revision, why, due }],
    ),
  };
}

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
    facts: row.facts,
    records: {
      ...digestsOf(run, records),
      verdict: recordDigest('verdict', run, verdictText({ revision, status, findings, judgedAt })),
    },
  };
}
