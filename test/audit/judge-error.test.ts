/** A run whose data the judge cannot read gets its verdict too, and delays nobody. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { judgeDue } from '../../src/audit/judge/judge.js';
import type { OpenDatabase } from '../../src/platform/postgres/database.js';
import { createStack, type Stack } from '../stack/stack.js';
import { aFailedRun, aRun } from './facts.js';
import { openAs, verdictsOf } from './judged.js';
import { plant } from './plant.js';

let stack: Stack;
let audit: OpenDatabase;
beforeAll(async () => {
  stack = await createStack();
  audit = await openAs(stack, 'audit');
});
afterAll(async () => {
  await audit.close();
  await stack.drop();
});

const complete = { status: 'COMPLETE', findings: [] };
const incomplete = (code: string, subject: string, detail: string) => ({
  status: 'INCOMPLETE',
  findings: [{ code, blocking: true, subject, detail }],
});

describe('JUDGE_ERROR', () => {
  it('a run whose data cannot be read is found by halving; all others are judged as ever', async () => {
    const bad = aFailedRun();
    const good = [aRun(), aRun(), aRun({ incident: { outcome: 'succeeded' } }), aRun()];
    await stack.admin.query(`ALTER VIEW execute.v_incident_occurrences RENAME TO v_kept`);
    await stack.admin.query(
      `CREATE VIEW execute.v_incident_occurrences AS SELECT o.* FROM execute.v_kept o WHERE 1 / (CASE o.run_id WHEN '${bad.run}' THEN 0 ELSE 1 END) = 1`,
    );
    await stack.admin.query('GRANT SELECT ON execute.v_incident_occurrences TO rok_audit_owner');
    await stack.admin.query('ALTER VIEW execute.v_incident_occurrences OWNER TO rok_execute_owner');
    try {
      await plant(stack.admin, [good[0] ?? bad, good[1] ?? bad, bad, good[2] ?? bad, good[3] ?? bad]);
      await judgeDue(audit);
      expect(await verdictsOf(stack.admin, [bad.run, ...good.map((one) => one.run)])).toEqual([
        incomplete('JUDGE_ERROR', 'judge', 'SQLSTATE 22012'),
        complete,
        complete,
        incomplete('MISMATCH', 'outcome', 'succeeded, with an incident'),
        complete,
      ]);
    } finally {
      await stack.admin.query('DROP VIEW execute.v_incident_occurrences');
      await stack.admin.query('ALTER VIEW execute.v_kept RENAME TO v_incident_occurrences');
    }
  });
});
