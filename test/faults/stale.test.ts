import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { RunId } from '../../src/domain/ids.js';
import { createOwnStack, type OwnStack } from '../stack/stack.js';
import { HANGS } from './deployment.js';
import { endOf, ended, ledgerOf, verdictOf, warrantsOf, type Verdict } from './evidence.js';
import { createFaultRig, type FaultRig } from './rig.js';
import { until } from './until.js';

/** A sweep looks every second; the rest is what a busy machine takes to look. */
const SWEEP_MS = 1_000;
const BUSY_MS = 2_000;

/** A run with its model call in flight when control and execute are killed, judged by what is left. */
async function orphaned(rig: FaultRig, harm: () => Promise<unknown>): Promise<{ run: RunId; verdict: Verdict }> {
  await rig.terms('acme', '6 seconds', '2 seconds');
  const [, working] = await Promise.all([rig.worker(['audit']), rig.worker(['control', 'execute'])]);
  await rig.start('rok/acme/left');
  const run = await rig.runOf('rok/acme/left');
  await rig.asked(1);
  await working.kill();
  await harm();
  return { run, verdict: await verdictOf(rig.stack, run) };
}

/** The revision that has seen the late `finalize_run`. */
const saysLate = ({ blocking }: Verdict): boolean => blocking.includes('LATE orchestrator/finalize_run');
const stale = {
  status: 'STALE',
  revision: 1,
  blocking: ['MISSING orchestrator/finalize_run', 'MISSING policies/evaluate_policy'],
  notes: [],
  signed: true,
};

describe('the control worker is killed and nobody starts it again', () => {
  let rig: FaultRig;
  let left: { run: RunId; verdict: Verdict };
  beforeAll(async () => {
    rig = await createFaultRig(HANGS);
    left = await orphaned(rig, () => Promise.resolve());
  }, 240_000);
  afterAll(() => rig.close());

  it('the run is STALE one sweep after finalize_due, by PostgreSQL and the audit worker alone', async () => {
    expect(left.verdict).toMatchObject(stale);
    expect(left.verdict.afterDueMs).toBeGreaterThan(0);
    expect(left.verdict.afterDueMs).toBeLessThan(SWEEP_MS + BUSY_MS);
    expect(await endOf(rig.stack, left.run)).toEqual({ phase: 'EXECUTING', outcome: null });
  });

  it('when control comes back at last, the run ends without being forgiven, whoever is first to end it', async () => {
    await rig.worker(['control', 'execute']);
    const { phase, outcome } = await ended(rig.stack, left.run, 60_000);
    expect(phase).toBe('FAILED');
    expect(['expired', 'forced']).toContain(outcome);
    const late = await verdictOf(rig.stack, left.run, saysLate);
    expect(late.status).toBe('STALE');
    const workflow = rig.client.workflow.getHandle('rok/acme/left');
    await until('the end of its workflow', async () =>
      (await workflow.describe()).status.name === 'RUNNING' ? null : true,
    );
  }, 120_000);
});

describe('the control worker is killed and Temporal is down as well', () => {
  let rig: FaultRig<OwnStack>;
  let left: { run: RunId; verdict: Verdict };
  beforeAll(async () => {
    rig = await createFaultRig(HANGS, () => createOwnStack({ temporal: true }));
    left = await orphaned(rig, () => rig.stack.temporal?.stop() ?? Promise.reject(new Error('no Temporal')));
  }, 240_000);
  afterAll(() => rig.close());

  it('the run is STALE one sweep after finalize_due, by PostgreSQL and the audit worker alone', () => {
    expect(left.verdict).toMatchObject(stale);
    expect(left.verdict.afterDueMs).toBeGreaterThan(0);
    expect(left.verdict.afterDueMs).toBeLessThan(SWEEP_MS + BUSY_MS);
  });

  it('when all comes back but what Temporal knew, repair ends the run, and it stays STALE', async () => {
    const { stack } = rig;
    await rm(join(stack.folder, 'temporal.db'), { force: true });
    await stack.restartTemporal();
    await rig.worker(['control', 'execute']);
    expect(await ended(stack, left.run, 60_000)).toEqual({ phase: 'FAILED', outcome: 'forced' });
    const late = await verdictOf(stack, left.run, saysLate);
    expect(late).toMatchObject({
      status: 'STALE',
      blocking: [
        'LATE orchestrator/finalize_run',
        'MISSING orchestrator/finalize_run',
        'MISSING policies/evaluate_policy',
      ],
      signed: true,
    });
    const [call] = await warrantsOf(stack, left.run);
    expect(call).toMatchObject({ at: '1.1', state: 'forfeited', result: 'unknown' });
    expect(await ledgerOf(stack, left.run)).toEqual({ spent: call?.spent, reserved: 0n, over: 0n, drift: [] });
  }, 120_000);
});
