/**
 * Signs verdicts that have no receipt: numbered and chained per tenant under the lock on the tenant's head, each at
 * most once, and only if the rows give the same verdict in the same transaction. Separate from judging, so that a
 * missing key or a crash delays a signature and never a verdict. A verdict that cannot be signed is set aside and
 * delays no other.
 */
import { uuidOf, type RunId } from '../../domain/ids.js';
import type { Database, Sql } from '../../domain/sql.js';
import { NO_RECEIPT, receiptHash, receiptText } from './receipt.js';
import { isOfRows } from '../judge/row-error.js';
import type { Signer } from './signer.js';
import { firstWaiting, readUnsigned, type NotBorneOut, type Unsigned, type Wanted } from './unsigned.js';

const BATCH = 100;

/** A verdict that now has its receipt, number `n` of its chain. */
export type Signed = Pick<Unsigned, 'run' | 'verdict'> & { readonly n: bigint };

/** What stays without a receipt for now, and why. */
export type Unsignable = Omit<NotBorneOut, 'revision'>;

/**
 * All that wait, chain by chain. Answers how many it signed.
 * @param tell hears of each verdict that it left
 * @throws AggregateError of the chains that failed as a whole, after the others were signed
 */
export async function signVerdicts(
  database: Database,
  signer: Signer,
  tell: (left: Unsignable) => void = () => undefined,
): Promise<number> {
  const chains = await database.query<{ chain: string }>(
    `SELECT DISTINCT coalesce(c.tenant, '-') AS chain FROM audit.unsigned u LEFT JOIN audit.contracts c ON c.run_id = u.run_id`,
  );
  let signed = 0;
  const failures: unknown[] = [];
  for (const { chain } of chains)
    try {
      for await (const count of signChain(database, signer, chain, tell)) signed += count;
    } catch (error) {
      failures.push(error);
    }
  if (failures.length > 0) throw new AggregateError(failures, `${failures.length} chains of receipts were not signed`);
  return signed;
}

/** Batch by batch; one that fails by its rows is taken one by one, until the one at fault is found and left. */
async function* signChain(
  database: Database,
  signer: Signer,
  chain: string,
  tell: (left: Unsignable) => void,
): AsyncGenerator<number> {
  const without: RunId[] = [];
  const leave = (left: Unsignable): void => {
    without.push(left.run);
    tell(left);
  };
  for (let limit = BATCH; ;) {
    try {
      const { signed, not } = await database.transaction((sql) => signBatch(sql, signer, chain, { without, limit }));
      not.forEach(leave);
      yield signed.length;
      if (signed.length + not.length < limit) return;
    } catch (error) {
      if (!isOfRows(error)) throw error;
      const run = limit === 1 ? await firstWaiting(database, chain, { without }) : null;
      if (run !== null) leave({ run, why: `its rows cannot be read: ${(error as Error).message}`, due: false });
      limit = run === null ? 1 : BATCH;
    }
  }
}

/** The chain that a run's receipts are in; `-` for a run without a contract. */
export async function chainOf(sql: Sql, run: RunId): Promise<string> {
  const [row] = await sql.query<{ tenant: string }>('SELECT tenant FROM audit.contracts WHERE run_id = $1', [
    uuidOf(run),
  ]);
  return row?.tenant ?? '-';
}

/** The verdict of one run, if it waits. */
export async function signRun(
  database: Database,
  signer: Signer,
  chain: string,
  run: RunId,
): Promise<readonly Signed[]> {
  const { signed } = await database.transaction((sql) => signBatch(sql, signer, chain, { run, limit: BATCH }));
  return signed;
}

type Batch = { readonly signed: readonly Signed[]; readonly not: readonly NotBorneOut[] };

async function signBatch(sql: Sql, signer: Signer, chain: string, wanted: Wanted): Promise<Batch> {
  void sql.query(
    `INSERT INTO audit.receipt_heads (tenant, n, hash) VALUES ($1, 0, decode($2, 'hex')) ON CONFLICT DO NOTHING`,
    [chain, NO_RECEIPT],
  );
  // Sent together: what waits is read after the lock, and what another signer took meanwhile is not there any more.
  const [[head], { borneOut, not }] = await Promise.all([
    sql.query<{ n: bigint; hash: string }>(
      `SELECT n, encode(hash, 'hex') AS hash FROM audit.receipt_heads WHERE tenant = $1 FOR UPDATE`,
      [chain],
    ),
    readUnsigned(sql, chain, wanted),
  ]);
  if (head === undefined) throw new Error(`the chain of receipts \`${chain}\` has no head`);
  if (borneOut.length === 0) return { signed: [], not };

  let { n, hash: prev } = head;
  const signed: Signed[] = [];
  const rows: { run_id: string; revision: number; n: string; jws: string; hash: string; prev: string }[] = [];
  for (const unsigned of borneOut) {
    n += 1n;
    const jws = await signer.sign(receiptText({ version: 2, chain, n: n.toString(), prev, ...unsigned }));
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
     -- With those before it, which nobody can rule on any more.
     DELETE FROM audit.unsigned u USING fresh f WHERE u.run_id = f.run_id AND u.revision <= f.revision`,
    [chain, JSON.stringify(rows)],
  );
  void sql.query(`UPDATE audit.receipt_heads SET n = $2, hash = decode($3, 'hex') WHERE tenant = $1`, [chain, n, prev]);
  return { signed, not };
}
