/** What a run may accumulate is bounded where it is written, so that no verdict grows without bound. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { judgeDue } from '../../src/audit/judge/judge.js';
import { recordRefused } from '../../src/decide/lifecycle/open-identity.js';
import { NotThisHistory } from '../../src/decide/rows/run-row.js';
import type { OpenDatabase } from '../../src/platform/postgres/database.js';
import { createStack, type Stack } from '../stack/stack.js';
import { aRun } from './facts.js';
import { openAs, verdictsOf } from './judged.js';
import { plant } from './plant.js';

let stack: Stack;
let audit: OpenDatabase;
let decide: OpenDatabase;
beforeAll(async () => {
  stack = await createStack();
  [audit, decide] = await Promise.all([openAs(stack, 'audit'), openAs(stack, 'decide')]);
});
afterAll(async () => {
  await Promise.all([audit.close(), decide.close()]);
  await stack.drop();
});

it('of executions that claim to be a run 64 are listed; the others are known, and counted', async () => {
  const run = aRun();
  await plant(stack.admin, [run]);
  const claim = (n: number) => ({ workflowId: 'rok/acme/other', temporalRunId: `claim-${n}` });
  for (let n = 1; n <= 80; n += 1) await recordRefused(decide, claim(n), new NotThisHistory(run.run));
  // Again is nothing new.
  await recordRefused(decide, claim(1), new NotThisHistory(run.run));
  await judgeDue(audit);
  const [verdict] = await verdictsOf(stack.admin, [run.run]);
  expect(verdict?.status).toBe('COMPLETE');
  expect(verdict?.findings.length).toBe(64);
  expect(await stack.admin.query('SELECT refused FROM decide.refused_counts WHERE run_id = $1', [run.run])).toEqual([
    { refused: 80n },
  ]);
  expect(
    await stack.admin.query(`SELECT FROM decide.refused_histories WHERE temporal_run_id = 'claim-80'`),
  ).toHaveLength(1);
});

it.each([
  ['temporal_run_id', `'w', repeat('x', 129), 'c'`],
  ['workflow_id', `repeat('x', 1001), 't', 'c'`],
  ['code', `'w', 't', repeat('x', 65)`],
])('a refused history whose %s is too long is refused', async (_, values) => {
  await expect(
    decide.query(`INSERT INTO decide.refused_histories (workflow_id, temporal_run_id, code) VALUES (${values})`),
  ).rejects.toMatchObject({ code: '23514' });
});

it('of acks a run takes 256 of each domain, and one that floods its own keeps no other out', async () => {
  const run = randomUUID();
  await decide.query(`SELECT audit.declare($1, 'acme', 'desk', 'STANDARD', NULL)`, [run]);
  const observe = await openAs(stack, 'observe');
  const ack = (n: number) =>
    observe.query(`SELECT audit.ack($1, 'logs', 'start_trace', 'done', jsonb_build_object('seq', $2::integer))`, [
      run,
      n,
    ]);
  for (let n = 1; n <= 256; n += 1) await ack(n);
  await expect(ack(257)).rejects.toMatchObject({ code: '54000' });
  // What was said before is no news.
  await ack(1);
  await observe.close();
  await decide.query(`SELECT audit.ack($1, 'orchestrator', 'finalize_run', 'done', '{"table":"decide.runs"}')`, [run]);
});

it.each([
  ['actor', `repeat('x', $n)`, 1000],
  ['issuer', `repeat('x', $n)`, 8192],
  ['token_id', `repeat('x', $n)`, 256],
  ['assertion', `repeat('x', $n)`, 8192],
  ['action_digest', `repeat('x', $n)`, 64],
  ['roles', `array_fill('x'::text, ARRAY[$n])`, 64],
])('%s of an act is bounded, and taken at its bound', async (column, value, bound) => {
  const run = aRun();
  await plant(stack.admin, [run]);
  const columns = {
    actor: `'a'`,
    roles: `'{}'`,
    issuer: `'i'`,
    token_id: 'NULL',
    assertion: 'NULL',
    action_digest: 'NULL',
  };
  const write = (n: number) => {
    const all = { ...columns, [column]: value.replace('$n', String(n)) };
    return decide.query(
      `INSERT INTO decide.acts (run_id, update_id, verb, allowed, ${Object.keys(all).join(', ')})
       VALUES ($1, $2, 'kill', false, ${Object.values(all).join(', ')})`,
      [run.run, `act-${n}`],
    );
  };
  await write(bound);
  await expect(write(bound + 1)).rejects.toMatchObject({ code: '23514' });
});
