/** What must be true after healing, whatever was done: shared by all scenarios. Each is a question to the evidence. */
import { readFile } from 'node:fs/promises';
import type { JSONWebKeySet } from 'jose';
import { verifyBundle } from '../src/audit/verify/verify.js';
import { runIdOf } from '../src/domain/ids.js';
import { openDatabase } from '../src/platform/postgres/database.js';
import { readerOn } from '../src/reader/read.js';
import type { FaultRig } from '../test/faults/rig.js';
import type { Goal } from './scenario.js';

/** Faults excuse what is missing or late. Nothing excuses these. */
const NEVER = ['UNWARRANTED', 'HOLLOW', 'OVERRUN', 'FORGED_APPROVAL', 'ALTERED', 'JUDGE_ERROR', 'NO_CONTRACT'];

/** Statements that must find nothing. */
const NOTHING: Readonly<Record<string, string>> = {
  'every run has ended': `SELECT run_id FROM decide.runs WHERE phase NOT IN ('COMPLETED', 'FAILED')`,
  'every run is judged':
    'SELECT r.run_id FROM decide.runs r WHERE NOT EXISTS (SELECT FROM audit.verdicts v WHERE v.run_id = r.run_id)',
  'nothing stays reserved': `SELECT run_id FROM decide.reservations WHERE closed_at IS NULL
    UNION ALL SELECT NULL FROM decide.accounts WHERE reserved <> 0`,
  'the journal sums to the balances': 'SELECT account_id FROM decide.v_drift',
  'what is set aside is what is reserved': 'SELECT account_id FROM decide.v_set_aside_drift',
  'no cap was passed at any commit': 'SELECT account_id FROM decide.v_overspent',
  'what was charged is what was set aside for it': 'SELECT run_id FROM decide.v_charge_drift',
  'the ledger agrees with attempts and results': 'SELECT run_id FROM audit.v_attempt_drift',
  'receipts state what the ledger says': 'SELECT run_id FROM audit.v_receipt_drift',
  'no attempt without a warrant': `SELECT a.run_id FROM execute.attempts a LEFT JOIN decide.reservations w USING (run_id, step, attempt)
    WHERE w.nonce IS DISTINCT FROM a.nonce OR w.state NOT IN ('settled', 'forfeited')`,
  'no attempt without a result': `SELECT run_id FROM execute.attempts EXCEPT ALL SELECT run_id FROM execute.results`,
  'no attempt is charged twice': `SELECT run_id FROM decide.journal WHERE op IN ('settle', 'forfeit', 'release')
    GROUP BY account_id, run_id, step, attempt HAVING count(*) > 1`,
  'no finding that faults do not excuse': `SELECT v.run_id, f.* FROM audit.v_verdicts v, jsonb_to_recordset(v.findings)
      AS f (code text, subject text, detail text) WHERE f.code IN (${NEVER.map((code) => `'${code}'`).join(', ')})`,
  'no verdict became better': `SELECT a.run_id FROM audit.verdicts a JOIN audit.verdicts b USING (run_id)
    WHERE b.revision = a.revision + 1 AND audit.badness(b.status) < audit.badness(a.status)`,
  'every revision has a receipt, numbered without a gap': `SELECT run_id FROM audit.unsigned UNION ALL SELECT NULL FROM
    (SELECT FROM audit.receipts GROUP BY tenant HAVING count(*) <> max(n) OR min(n) <> 1) gap`,
};

export async function invariants(rig: FaultRig, accepted: readonly string[]): Promise<readonly Goal[]> {
  const { admin } = rig.stack;
  const goals: Goal[] = [];
  for (const [name, statement] of Object.entries(NOTHING)) {
    const rows = await admin.query<{ run_id?: string }>(statement);
    const first = rows.slice(0, 3).map((row) => JSON.stringify(row));
    goals.push({
      name,
      held: rows.length === 0,
      seen: rows.length === 0 ? 'yes' : `${rows.length}: ${first.join(' ')}`,
    });
  }
  return [...goals, await everyOneOpened(rig, accepted), await calledOnce(rig), await verified(rig)];
}

async function everyOneOpened({ stack }: FaultRig, accepted: readonly string[]): Promise<Goal> {
  const rows = await stack.admin.query<{ workflow_id: string }>('SELECT workflow_id FROM decide.runs');
  const opened = new Set(rows.map((row) => row.workflow_id));
  const lost = accepted.filter((id) => !opened.has(id));
  return {
    name: 'every workflow that Temporal accepted became a run',
    held: lost.length === 0 && rows.length === accepted.length,
    seen: `${rows.length} of ${accepted.length}${lost.length === 0 ? '' : `, not ${lost.slice(0, 3).join(' ')}`}`,
  };
}

/** By the log of the model's server: for each turn of a conversation at most one request per attempt that was redeemed. */
async function calledOnce(rig: FaultRig): Promise<Goal> {
  const asked = new Map<string, number>();
  for (const { body, turn } of rig.requests()) {
    const said = JSON.stringify(body?.messages.find((message) => message.role === 'user')?.content ?? '');
    const key = `${/Orders for ([^?]+)\?/.exec(said)?.[1] ?? said} turn ${turn}`;
    asked.set(key, (asked.get(key) ?? 0) + 1);
  }
  const rows = await rig.stack.admin.query<{ workflow_id: string; turn: bigint; attempts: bigint }>(
    `SELECT r.workflow_id, dense_rank() OVER (PARTITION BY a.run_id ORDER BY a.step) - 1 AS turn, a.attempts
    FROM (SELECT a.run_id, a.step, count(*) AS attempts FROM execute.attempts a JOIN decide.decisions d USING (run_id, step, attempt)
      WHERE d.kind = 'model.call' GROUP BY a.run_id, a.step) a JOIN decide.runs r USING (run_id)`,
  );
  const attempts = new Map(rows.map((row) => [`${row.workflow_id} turn ${row.turn}`, Number(row.attempts)]));
  const over = [...asked].filter(([key, count]) => count > (attempts.get(key) ?? 0));
  return {
    name: 'no attempt was called twice, by the log of the model',
    held: over.length === 0,
    seen: over.length === 0 ? `${rig.requests().length} requests` : over.slice(0, 3).join(' '),
  };
}

/** Every run's bundle, against the key set that is given from outside: trace, records and receipt. */
async function verified(rig: FaultRig): Promise<Goal> {
  const jwks = JSON.parse(await readFile(rig.keys.receiptKeySet, 'utf8')) as JSONWebKeySet;
  const database = await openDatabase(rig.stack.urls.read, { login: 'read', applicationName: 'chaos', max: 2 });
  const reader = readerOn(database);
  try {
    const rows = await rig.stack.admin.query<{ run_id: string }>('SELECT run_id FROM decide.runs');
    const broken: string[] = [];
    for (const row of rows) {
      const run = runIdOf(row.run_id);
      const bundle = await reader.bundle(run);
      const answer = bundle === null ? null : await verifyBundle(bundle, { jwks });
      if (answer?.result !== 'verified') broken.push(`${run} ${JSON.stringify(answer)}`);
    }
    return {
      name: 'every trace and every receipt verifies',
      held: broken.length === 0,
      seen: broken.length === 0 ? `${rows.length} bundles` : `${broken.length}: ${broken.slice(0, 3).join(' ')}`,
    };
  } finally {
    await reader.close();
  }
}
