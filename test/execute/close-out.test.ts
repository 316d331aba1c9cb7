import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { uuidOf, type Digest, type RunId } from '../../src/domain/ids.js';
import type { Outcome } from '../../src/domain/phases.js';
import type { CloseOut } from '../../src/domain/protocol/execute.js';
import { closeOut } from '../../src/execute/close/close-out.js';
import { detailClass, fingerprint } from '../../src/execute/close/incident-engine.js';
import { createRig, type Rig } from './rig.js';

let rig: Rig;
let run: RunId;
beforeAll(async () => {
  rig = await createRig();
});
afterAll(() => rig.close());
beforeEach(async () => {
  rig.logged.length = 0;
  run = await rig.openRun();
  const none = '0'.repeat(64) as Digest;
  const outcome = {
    step: 5,
    attempt: 1,
    kind: 'run.outcome',
    target: 'x',
    argumentsDigest: none,
    contextDigest: none,
  } as const;
  await rig.allow(run, outcome);
});

const closing = (outcome: Outcome, changes: Partial<CloseOut> = {}): CloseOut => ({
  run,
  tenant: 'acme',
  agent: 'refund-desk',
  outcome,
  decision: { step: 5, attempt: 1 },
  lastStep: 4,
  detail: 'budget_exceeded: 0.51 of 0.50',
  ...changes,
});
const close = (input: CloseOut) => closeOut(rig.deps(), input);
const rows = (table: string) => rig.stack.admin.query(`SELECT * FROM ${table} WHERE run_id = $1`, [uuidOf(run)]);
const acks = async () =>
  (await rows('audit.acks')).map(({ domain, action, status, evidence }) => ({ domain, action, status, evidence }));
const evaluated = {
  domain: 'policies',
  action: 'evaluate_policy',
  status: 'done',
  evidence: { table: 'execute.evaluations' },
};
const reported = {
  domain: 'incidents',
  action: 'create_incident',
  status: 'done',
  evidence: { table: 'execute.incident_occurrences' },
};

describe('the close of a run', () => {
  it('that succeeded leaves an evaluation and its ack, and no incident', async () => {
    expect(await close(closing('succeeded'))).toEqual({ acked: ['policies/evaluate_policy'] });
    expect(await acks()).toEqual([evaluated]);
    expect(await rows('execute.evaluations')).toMatchObject([{ step: 5, attempt: 1, outcome: 'succeeded' }]);
    expect(await rows('execute.incident_occurrences')).toEqual([]);
  });

  it('that failed leaves an occurrence too, and again changes nothing', async () => {
    const input = closing('budget_stopped', { tenant: 'again' });
    const expected = { acked: ['policies/evaluate_policy', 'incidents/create_incident'] };
    expect([await close(input), await close(input)]).toEqual([expected, expected]);
    expect(await acks()).toEqual([evaluated, reported]);
    expect(await rows('execute.incident_occurrences')).toMatchObject([
      { outcome: 'budget_stopped', step: 4, detail: 'budget_exceeded: 0.51 of 0.50' },
    ]);
    expect(rig.logged).toHaveLength(1);
  });

  it('joins the incident of its kind and day, of its own tenant; only a new one is told', async () => {
    const first = run;
    await close(closing('failed'));
    run = await rig.openRun();
    await close(closing('failed', { decision: null, detail: 'budget_exceeded: 7.10 of 7.00' }));
    run = await rig.openRun();
    await close(closing('failed', { decision: null, tenant: 'other' }));
    run = await rig.openRun();
    await close(closing('killed', { decision: null }));
    expect(rig.logged).toHaveLength(3);
    const incidents = await rig.stack.admin.query<{ runs: string[] }>(
      `SELECT count(*)::int AS runs FROM execute.v_incident_occurrences WHERE incident_id =
         (SELECT incident_id FROM execute.incident_occurrences WHERE run_id = $1)`,
      [uuidOf(first)],
    );
    expect(incidents).toEqual([{ runs: 2 }]);
  });

  it('without an outcome decision says nothing of policies', async () => {
    expect(await close(closing('succeeded', { decision: null }))).toEqual({ acked: [] });
    expect([await acks(), await rows('execute.evaluations')]).toEqual([[], []]);
  });

  it('is all or nothing: an evaluation of a decision that was never made takes the incident with it', async () => {
    await expect(close(closing('failed', { decision: { step: 9, attempt: 1 } }))).rejects.toMatchObject({
      code: '23503',
    });
    expect([await acks(), await rows('execute.incident_occurrences')]).toEqual([[], []]);
  });
});

it('a fingerprint looks past names and numbers, and at agent and outcome', () => {
  expect(detailClass('Step 12 of `run_1` failed: no')).toBe('step # of `…` failed');
  const same = fingerprint('a', 'failed', 'step 1: x');
  expect(fingerprint('a', 'failed', 'step 2: y')).toBe(same);
  expect([fingerprint('b', 'failed', 'step 1'), fingerprint('a', 'killed', 'step 1')]).not.toContain(same);
});
