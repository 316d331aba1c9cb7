/**
 * Checks of a signed run that need the database: whether the receipt's own row, and the texts that persons wrote, are
 * unchanged. All other rows need no check here, because the bundle is read from them each time.
 */
import { uuidOf, type RunId } from '../../domain/ids.js';
import type { Sql } from '../../domain/sql.js';
import { parseObject } from './contract.js';
import { RECORD_KINDS, type RecordKind } from './evidence.js';
import { receiptHash } from '../receipts/receipt.js';
import type { Broken } from '../verify/signature.js';

export async function brokenLive(sql: Sql, run: RunId): Promise<Broken | null> {
  const uuid = uuidOf(run);
  const [drift] = await sql.query<{ kind: RecordKind; key: string }>(
    'SELECT kind, key FROM audit.v_content_drift x WHERE x.run_id = $1 ORDER BY kind, key LIMIT 1',
    [uuid],
  );
  if (drift !== undefined)
    return {
      what: `${RECORD_KINDS[drift.kind]} ${drift.key}`,
      detail: 'what was written there is not what the receipt covers',
    };
  const rows = await sql.query<ReceiptRow>(
    `SELECT x.tenant, x.n::text AS n, x.revision, x.jws, encode(x.hash, 'hex') AS hash, encode(x.prev, 'hex') AS prev
     FROM audit.v_receipts x WHERE x.run_id = $1 ORDER BY x.revision`,
    [uuid],
  );
  const odd = rows.find((row) => !isOfItsReceipt(row, run));
  return odd === undefined
    ? null
    : { what: `receipt ${odd.n} of ${odd.tenant}`, detail: 'its columns are not what it says' };
}

type ReceiptRow = {
  readonly tenant: string;
  readonly n: string;
  readonly revision: number;
  readonly jws: string;
  readonly hash: string;
  readonly prev: string;
};

function isOfItsReceipt({ tenant, n, revision, jws, hash, prev }: ReceiptRow, run: RunId): boolean {
  const said = parseObject(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString('utf8'));
  const verdict = said?.['verdict'] as { readonly revision?: unknown } | undefined;
  return (
    hash === receiptHash(jws) &&
    said?.['chain'] === tenant &&
    said['n'] === n &&
    said['prev'] === prev &&
    said['run'] === run &&
    verdict?.revision === revision
  );
}
