/** A run that nobody declared a contract for is refused by the database; one that is there all the same is found and judged. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { judgeStrays } from '../../src/audit/judge/judge.js';
import { enterUncontracted } from '../../src/audit/judge/uncontracted.js';
import type { OpenDatabase } from '../../src/platform/postgres/database.js';
import { createStack, type Stack } from '../stack/stack.js';
import { aRun } from './facts.js';
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

it('it is entered with a due time, and judged NO_CONTRACT when that has come, once', async () => {
  const [bare, promised] = [aRun(), aRun()];
  await plant(stack.admin, [bare, promised]);
  await stack.admin.transaction(async (sql) => {
    await sql.query('SET LOCAL session_replication_role = replica');
    await sql.query('DELETE FROM audit.contracts WHERE run_id = $1', [bare.run]);
  });
  expect(await enterUncontracted(audit)).toBe(1);
  expect(await enterUncontracted(audit)).toBe(0);
  expect(await judgeStrays(audit)).toEqual([]);
  await stack.admin.query('UPDATE audit.strays SET due_at = clock_timestamp()');
  await judgeStrays(audit);
  expect(await verdictsOf(stack.admin, [bare.run, promised.run])).toEqual([
    {
      status: 'INCOMPLETE',
      findings: [
        { code: 'NO_CONTRACT', blocking: true, subject: `rok/acme/${bare.run}`, detail: 'the run has no contract' },
      ],
    },
    null,
  ]);
  expect(await judgeStrays(audit)).toEqual([]);
});

it('it is found when its turn comes, whatever its id', async () => {
  const old = { ...aRun(), run: '00000000-0000-7000-8000-000000000001' };
  await plant(stack.admin, [old]);
  await stack.admin.transaction(async (sql) => {
    await sql.query('SET LOCAL session_replication_role = replica');
    await sql.query('DELETE FROM audit.contracts WHERE run_id = $1', [old.run]);
  });
  expect(await enterUncontracted(audit)).toBe(1);
});

it('the audit login makes no stray of a run that has a contract, nor of one to come, and settles none by hand', async () => {
  const [promised, toCome] = [aRun(), aRun()];
  await plant(stack.admin, [promised]);
  const enter = (run: string) =>
    audit.query(
      `INSERT INTO audit.strays (workflow_id, temporal_run_id, run_id, started_at, due_at, settled_at, settled_as)
       VALUES ('made-up', 'x', $1, now(), now(), now(), 'opened') RETURNING run_id = $1 AS taken, settled_as`,
      [run],
    );
  await expect(enter(promised.run)).rejects.toMatchObject({ code: '23514' });
  expect(await enter(toCome.run)).toEqual([{ taken: false, settled_as: null }]);
  await judgeStrays(audit);
  expect(await verdictsOf(stack.admin, [promised.run, toCome.run])).toEqual([null, null]);
});
