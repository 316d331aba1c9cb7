/**
 * Signs verdicts that have no receipt: numbered and chained per tenant, under the lock on that tenant's head, each at most
 * once. A step of its own, so that a missing key or a crash delays a signature and never a verdict.
 */
import { uuidOf, type RunId } from '../domain/ids.js';
import type { Database, Sql } from '../domain/sql.js';
import { NO_RECEIPT, receiptHash, receiptText } from './receipt.js';
import type { Signer } from './signer.js';
import { readUnsigned, type Unsigned } from './unsigned.js';

const BATCH = 100;

/** A verdict that now has its receipt, number `n` of its chain. */
export type Signed = Pick<Unsigned, 'run' | 'verdict'> & { readonly n: bigint };

/** All that wait. Answers how many it signed. */
export async function signVerdicts(database: Database, signer: Signer): Promise<number> {
  const chains = await database.query<{ chain: string }>(
    `SELECT DISTINCT coalesce(c.tenant, '-') AS chain FROM audit.unsigned u LEFT JOIN audit.contracts c ON c.run_id = u.run_id`,
  );
  let signed = 0;
  for (const { chain } of chains) {
    for (;;) {
      const batch = await database.transaction((sql) => signBatch(sql, signer, chain));
      signed += batch.length;
      if (batch.length < BATCH) break;
    }
  }
  return signed;
}

/** The chain that a run's receipts are in; `-` for a run without a contract. */
export async function chainOf(sql: Sql, run: RunId): Promise<string> {
  const [row] = await sql.query<{ tenant: string }>('SELECT tenant FROM audit.contracts WHERE run_id = $1', [
    uuidOf(run),
  ]);
  return row?.tenant ?? '-';
}

/** Those of one run that wait. */
export const signRun = (database: Database, signer: Signer, chain: string, run: RunId): Promise<readonly Signed[]> =>
  database.transaction((sql) => signBatch(sql, signer, chain, run));

async function signBatch(sql: Sql, signer: Signer, chain: string, run?: RunId): Promise<readonly Signed[]> {
  void sql.query(
    `INSERT INTO audit.receipt_heads (tenant, n, hash) VALUES ($1, 0, decode($2, 'hex')) ON CONFLICT DO NOTHING`,
    [chain, NO_RECEIPT],
  );
  // Sent together: what waits is read after the lock, and what another signer took meanwhile is not there any more.
  const [[head], waiting] = await Promise.all([
    sql.query<{ n: bigint; hash: string }>(
      `SELECT n, encode(hash, 'hex') AS hash FROM audit.receipt_heads WHERE tenant = $1 FOR UPDATE`,
      [chain],
    ),
    readUnsigned(sql, chain, run, BATCH),
  ]);
  if (head === undefined) throw new Error(`the chain of receipts \`${chain}\` has no head`);
  if (waiting.length === 0) return [];

  let { n, hash: prev } = head;
  const signed: Signed[] = [];
  const rows: { run_id: string; revision: number; n: string; jws: string; hash: string; prev: string }[] = [];
  for (const unsigned of waiting) {
    n += 1n;
    const jws = await signer.sign(receiptText({ version: 1, chain, n: n.toString(), prev, ...unsigned }));
    const hash = receiptHash(jws);
    rows.push({ run_id: uuidOf(unsigned.run), revision: unsigned.verdict.revision, n: n.toString(), jws, hash, prev });
    signed.push({ run: unsigned.run, verdict: unsigned.verdict, n });
    prev = hash;
  }
  void sql.query(
    `WITH fresh AS (
       SELECT * FROM jsonb_to_recordset($2::jsonb)
         AS r (run_id uuid, revision integer, n bigint, jws text, hash text, prev text)
     ), stored AS (
       INSERT INTO audit.receipts (tenant, n, run_id, revision, jws, hash, prev)
       SELECT $1, f.n, f.run_id, f.revision, f.jws, decode(f.hash, 'hex'), decode(f.prev, 'hex') FROM fresh f
     )
     DELETE FROM audit.unsigned u USING fresh f WHERE (u.run_id, u.revision) = (f.run_id, f.revision)`,
    [chain, JSON.stringify(rows)],
  );
  void sql.query(`UPDATE audit.receipt_heads SET n = $2, hash = decode($3, 'hex') WHERE tenant = $1`, [chain, n, prev]);
  return signed;
}
