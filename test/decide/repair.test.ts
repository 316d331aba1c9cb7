/** A repair is a decision: kept, made again, deniable; refused where there is nothing to repair; and how a run begins. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { latch } from '../../src/decide/lifecycle/close.js';
import { recompute } from '../../src/decide/step/recompute.js';
import { repair } from '../../src/decide/lifecycle/repair.js';
import { NotThisHistory } from '../../src/decide/rows/run-row.js';
import { uuidOf, type RunId } from '../../src/domain/ids.js';
import { bodyOf, digestOf, NO_EXTRAS } from '../../src/domain/policy-source.js';
import type { RepairAnswer } from '../../src/domain/protocol/decide.js';
import { createStepRig, skillCall, type StepRig } from './step-rig.js';

let rig: StepRig;
beforeAll(async () => {
  rig = await createStepRig();
});
afterAll(() => rig.close());

const repairer = (run: RunId) => ({ workflowId: `rok-repair/${run}`, temporalRunId: randomUUID() });
type Caller = ReturnType<typeof repairer>;
const asked = (run: RunId, caller: Caller): Promise<RepairAnswer> =>
  rig.as((sql) => repair(sql, rig.deps, caller, { run, reason: 'workflow_closed' }));
const closed = (run: RunId) =>
  rig.stack.admin.query(`INSERT INTO audit.orphans (run_id, status) VALUES ($1, 'TERMINATED')`, [uuidOf(run)]);
const state = async (run: RunId) => {
  const [row] = await rig.stack.admin.query<{ phase: string; outcome: string | null; temporal_run_id: string }>(
    'SELECT phase, outcome, temporal_run_id FROM decide.runs WHERE run_id = $1',
    [uuidOf(run)],
  );
  return row;
};
const decisions = (run: RunId) =>
  rig.stack.admin.query<{ step: number; kind: string; target: string; effect: string }>(
    `SELECT step, kind, target, effect FROM decide.decisions WHERE run_id = $1 AND step > 1 ORDER BY step`,
    [uuidOf(run)],
  );

async function opened(tenant = 'acme') {
  const one = await rig.open({ tenant }, { workflowId: `rok/${tenant}/${randomUUID()}`, temporalRunId: randomUUID() });
  await rig.step(one.caller, skillCall(one.opened.run, 1, 'look'));
  return { run: one.opened.run, caller: one.caller };
}

describe('a repair', () => {
  it('of a run whose workflow is closed is a decision, then the run is its history and latched; the outcome comes after', async () => {
    const { run } = await opened();
    await closed(run);
    const caller = repairer(run);
    const answer = await asked(run, caller);
    expect(answer).toMatchObject({ adopted: true, outcome: 'forced', tenant: 'acme', agent: 'clerk' });
    expect(await state(run)).toEqual({ phase: 'FINALIZING', outcome: 'forced', temporal_run_id: caller.temporalRunId });
    // Asked again by the same execution: the same answer, and no second decision.
    expect(await asked(run, caller)).toEqual(answer);
    await rig.as((sql) => latch(sql, rig.deps, caller, { run, outcome: 'forced', detail: '', answer: null }));
    expect(await decisions(run)).toEqual([
      { step: 2, kind: 'run.repair', target: 'workflow_closed', effect: 'allow' },
      { step: 3, kind: 'run.outcome', target: 'forced', effect: 'allow' },
    ]);
    for (const step of [2, 3])
      expect(await rig.as((sql) => recompute(sql, rig.deps.sets, { run, step, attempt: null }))).toMatchObject({
        result: 'equal',
      });
  });

  it('of a run that is neither STALE nor closed is refused, and leaves no trace in it', async () => {
    const { run, caller } = await opened();
    await expect(asked(run, repairer(run))).rejects.toBeInstanceOf(NotThisHistory);
    expect(await decisions(run)).toEqual([]);
    expect(await state(run)).toMatchObject({ phase: 'EXECUTING', temporal_run_id: caller.temporalRunId });
  });

  it('that a policy forbids is refused, and kept; the run goes on waiting, until a policy lets it', async () => {
    const { run, caller } = await opened('initech');
    await closed(run);
    await rollOut(
      'initech',
      `${PERMIT} @id("keep") @reason("look first") forbid (principal, action == Action::"run.repair", resource);`,
    );
    expect(await asked(run, repairer(run))).toEqual({
      adopted: false,
      phase: 'EXECUTING',
      refused: [{ code: 'policy_forbids', rule: 'default/keep', text: 'look first' }],
    });
    expect(await state(run)).toEqual({ phase: 'EXECUTING', outcome: null, temporal_run_id: caller.temporalRunId });
    await rollOut('initech', PERMIT);
    expect(await asked(run, repairer(run))).toMatchObject({ adopted: true });
    expect((await decisions(run)).map(({ kind, effect }) => [kind, effect])).toEqual([
      ['run.repair', 'deny'],
      ['run.repair', 'allow'],
    ]);
  });
});

const PERMIT = '@id("all") permit (principal, action, resource);';
async function rollOut(tenant: string, text: string): Promise<void> {
  const source = { files: { default: text }, ...NO_EXTRAS };
  await rig.stack.admin.query(
    `INSERT INTO decide.policy_sets (digest, body, author, reason) VALUES ($1, $2, 'pat', 'a trial')`,
    [digestOf(source), bodyOf(source)],
  );
  await rig.stack.admin.query(
    `INSERT INTO decide.rollouts (tenant, digest, author, reason) VALUES ($1, $2, 'pat', 'a trial')`,
    [tenant, digestOf(source)],
  );
}

describe('a run that is entered by the login of the deciders', () => {
  const enter = async (changes: Readonly<Record<string, string>>, promised = true) => {
    const run = randomUUID();
    if (promised) await rig.decide.query(`SELECT audit.declare($1, 'acme', 'clerk', 'STANDARD', NULL)`, [run]);
    const columns = {
      run_id: `'${run}'`,
      tenant: `'acme'`,
      agent: `'clerk'`,
      workflow_id: `'rok/acme/${randomUUID()}'`,
      temporal_run_id: `'t'`,
      phase: `'CREATED'`,
      profile: `'STANDARD'`,
      spec_digest: `'s'`,
      actor: `'{}'`,
      limits: `'{}'`,
      contract_digest: `'c'`,
      run_deadline: 'now()',
      ...changes,
    };
    const sql = `INSERT INTO decide.runs (${Object.keys(columns).join(', ')}) VALUES (${Object.values(columns).join(', ')})`;
    return rig.decide.query(sql).then(
      () => 'entered',
      (error: unknown) => (error as { code?: string }).code,
    );
  };

  it('is refused without a contract', async () => {
    expect(await enter({}, false)).toBe('23503');
  });

  it.each([
    ['authorised by nobody', { phase: `'AUTHORIZED'` }],
    ['executing', { phase: `'EXECUTING'` }],
    ['closing', { phase: `'FINALIZING'`, outcome: `'succeeded'` }],
    ['succeeded', { phase: `'COMPLETED'`, outcome: `'succeeded'`, ended_at: 'now()' }],
    ['failed', { phase: `'FAILED'`, outcome: `'killed'`, ended_at: 'now()' }],
    ['latched', { latched_at: 'now()' }],
    ['steps ahead', { last_step: '7' }],
  ])('%s is refused', async (_name, changes) => {
    expect(await enter(changes)).toBe('42501');
  });

  it('at its beginning is entered', async () => {
    expect(await enter({})).toBe('entered');
  });
});
