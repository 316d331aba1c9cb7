/** Whatever a run asked and whatever was in force: each of its decisions comes out the same again, until something is changed. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import { recompute } from '../../src/decide/step/recompute.js';
import { uuidOf, type RunId } from '../../src/domain/ids.js';
import { bodyOf, digestOf, NO_EXTRAS } from '../../src/domain/policy-source.js';
import type { StepRequest } from '../../src/domain/protocol/decide.js';
import { createStepRig, modelCall, skillCall, type StepRig } from './step-rig.js';

let rig: StepRig;
beforeAll(async () => {
  rig = await createStepRig({ limits: { usd: '0.002000', steps: 9, skillCalls: { look: 2 } } });
});
afterAll(() => rig.close());

const ALL = '@id("all") permit (principal, action, resource);';
const SETS = {
  shadowed: `${ALL} @id("s") @mode("shadow") forbid (principal, action, resource);`,
  closed: `${ALL} @id("f") forbid (principal, action == Action::"model.call", resource) when { context.counters.steps > 2 };`,
  // It errs on everything that has no argument of this name.
  erring: `${ALL} @id("e") forbid (principal, action, resource) when { context.arguments.nothing > 1 };`,
  empty: '@id("none") forbid (principal, action == Action::"run.start", resource);',
};
const acts = fc.oneof(
  fc.record({ act: fc.constantFrom('look', 'pay', 'unknown' as const) }),
  fc.record({ act: fc.constant('model' as const), tokens: fc.constantFrom(1, 100, 500, 3_000) }),
  fc.record({ act: fc.constantFrom('halt', 'lift' as const) }),
  fc.record({ act: fc.constantFrom('approved', 'rejected', 'timed_out' as const) }),
  fc.record({
    act: fc.constant('publish' as const),
    set: fc.constantFrom(...(Object.keys(SETS) as (keyof typeof SETS)[])),
  }),
);
const profiles = fc.constantFrom('STANDARD' as const, 'OBSERVE_ONLY' as const);

type Act = typeof acts extends fc.Arbitrary<infer A> ? A : never;
type Life = { readonly run: RunId; readonly tenant: string; step: number; attempt: number; last: Act | null };

async function asked(life: Life, act: Act): Promise<StepRequest | null> {
  if (act.act === 'model') return modelCall(rig, life.run, life.step, { tokens: act.tokens, attempt: life.attempt });
  if (act.act === 'look' || act.act === 'pay' || act.act === 'unknown')
    return skillCall(life.run, life.step, act.act, life.attempt);
  return null;
}

async function happens(life: Life, act: Act): Promise<void> {
  const { admin } = rig.stack;
  const agent = `${life.tenant}/clerk`;
  if (act.act === 'halt')
    await admin.query(`INSERT INTO decide.halts (scope, subject, reason, set_by) VALUES ('agent', $1, 'r', 'o')`, [
      agent,
    ]);
  else if (act.act === 'lift')
    await admin.query(`UPDATE decide.halts SET lifted_by = 'o' WHERE subject = $1 AND lifted_at IS NULL`, [agent]);
  else if (act.act === 'publish') await publish(life.tenant, SETS[act.set]);
  else
    await admin.query('UPDATE decide.holds SET resolution = $2 WHERE run_id = $1 AND resolved_at IS NULL', [
      uuidOf(life.run),
      act.act,
    ]);
}

async function publish(tenant: string, text: string): Promise<void> {
  const source = { files: { default: text }, ...NO_EXTRAS };
  await rig.stack.admin.query(
    `WITH kept AS (INSERT INTO decide.policy_sets (digest, body, author, reason) VALUES ($1, $2, 'pat', 'r') ON CONFLICT DO NOTHING)
    SELECT 1`,
    [digestOf(source), bodyOf(source)],
  );
  await rig.stack.admin.query(
    `INSERT INTO decide.rollouts (tenant, digest, author, reason) VALUES ($1, $2, 'pat', 'r')`,
    [tenant, digestOf(source)],
  );
}

/** Steps in order; after a hold that ended the same is asked once more, as the kernel does. @returns effects seen */
async function live(
  life: Life,
  caller: { readonly workflowId: string; readonly temporalRunId: string },
  list: readonly Act[],
) {
  for (const act of list) {
    const request = await asked({ ...life, attempt: 1 }, act);
    if (request === null) {
      await happens(life, act);
      if (life.last === null || !['approved', 'rejected', 'timed_out'].includes(act.act)) continue;
      const again = await asked({ ...life, step: life.step - 1, attempt: life.attempt + 1 }, life.last);
      life.attempt += 1;
      if (again !== null) await rig.step(caller, again);
      continue;
    }
    await rig.step(caller, request);
    life.step += 1;
    life.attempt = 1;
    life.last = act;
  }
}

const every = (run: RunId) =>
  rig.stack.admin.query<{ step: number; attempt: number; effect: string }>(
    'SELECT step, attempt, effect FROM decide.decisions WHERE run_id = $1 ORDER BY step, attempt',
    [uuidOf(run)],
  );
const again = (run: RunId, { step, attempt }: { readonly step: number; readonly attempt: number }) =>
  rig.as((sql) => recompute(sql, rig.deps.sets, { run, step, attempt }));

describe('a decision', () => {
  it('of any run, under any halts, sets, holds and budgets, is made again equal; with another snapshot it is found changed', async () => {
    const seen = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(
        fc.array(acts, { minLength: 1, maxLength: 14 }),
        profiles,
        fc.nat(),
        async (list, profile, pick) => {
          const tenant = `t${randomUUID().replaceAll('-', '')}`;
          await rig.stack.admin.query('INSERT INTO decide.tenants (tenant, profile) VALUES ($1, $2)', [
            tenant,
            profile,
          ]);
          const { opened, caller } = await rig.open(
            { tenant },
            { workflowId: `rok/${tenant}/${randomUUID()}`, temporalRunId: randomUUID() },
          );
          await live({ run: opened.run, tenant, step: 1, attempt: 1, last: null }, caller, list);
          const decisions = await every(opened.run);
          for (const one of decisions) {
            seen.set(one.effect, (seen.get(one.effect) ?? 0) + 1);
            expect(await again(opened.run, one)).toMatchObject({
              step: one.step,
              attempt: one.attempt,
              result: 'equal',
            });
          }
          const planted = decisions[pick % decisions.length];
          if (planted === undefined) throw new Error('a run has a decision');
          await rig.stack.admin.transaction(async (sql) => {
            await sql.query(`SET LOCAL session_replication_role = 'replica'`);
            await sql.query(
              `UPDATE decide.snapshots s SET body = replace(s.body, '"halted":', '"halted" :') FROM decide.decisions d
            WHERE d.run_id = $1 AND d.step = $2 AND d.attempt = $3 AND (s.run_id, s.digest) = (d.run_id, d.snapshot_digest)`,
              [uuidOf(opened.run), planted.step, planted.attempt],
            );
          });
          expect(await again(opened.run, planted)).toMatchObject({ result: 'changed' });
        },
      ),
      { numRuns: 40 },
    );
    expect([...seen.keys()].sort()).toEqual(['allow', 'deny', 'pause']);
  }, 60_000);
});
