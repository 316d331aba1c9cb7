/** A cap raised at the command line, on real runs that wait for it: by an assertion for just this, and by a local actor. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { temporaryFolder } from '../stack/servers.js';
import { deploymentIn, look } from './deployment.js';
import { createRig, eventually, saying, type Rig, type Said } from './rig.js';

const WHY = ['--reason', 'worth it'];
const BOB = ['--as', 'bob', '--role', 'approver:finance'];

describe('rok budget raise', () => {
  let rig: Rig;
  let folder: string;
  beforeAll(async () => {
    folder = await temporaryFolder('raise');
    const policies = { 'default.cedar': '@id("all") permit (principal, action, resource);' };
    rig = await createRig({
      env: await deploymentIn(folder, { buyer: { turns: [{ calls: [look()] }, {}] } }, policies),
    });
  }, 60_000);
  afterAll(async () => {
    await rig.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** Of a tenant of its own, which has one micro-USD. */
  async function heldRun(): Promise<{ readonly run: string; readonly tenant: string }> {
    const tenant = `t-${randomUUID()}`;
    await rig.stack.admin.query(
      `INSERT INTO decide.budgets (scope, subject, unit, time_window, cap, on_breach) VALUES ('tenant', $1, 'usd_micros', 'month', 1, 'pause')`,
      [tenant],
    );
    const started = await rig.rok('run', 'start', 'buyer', '--input', 'go', '--tenant', tenant, '--as', 'alice');
    const run = started.out.trim();
    await eventually(async () => {
      const { out } = await rig.rok('run', 'show', run, '--json');
      return out !== '' && (JSON.parse(out) as { holds: readonly object[] }).holds[0];
    });
    return { run, tenant };
  }
  const raise = (run: string, from: string, to: string, ...more: readonly string[]): Promise<Said> =>
    rig.rok(
      ...['budget', 'raise', run, '--scope', 'tenant', '--unit', 'usd', '--window', 'month'],
      ...['--from', from, '--to', to, ...WHY, ...more],
    );

  it('by an assertion that `--purpose` says what it must be for: the run goes on, succeeds, and its receipt verifies', async () => {
    const { run, tenant } = await heldRun();
    expect((await rig.rok('run', 'show', run)).out).toContain(`rok budget raise ${run} --scope`);
    const purpose = await raise(run, '0.000001', '0.50', '--purpose');
    const { action, audience, verb } = JSON.parse(purpose.out) as Record<string, string>;
    expect({ code: purpose.code, audience, verb }).toEqual({
      code: 0,
      audience: expect.stringContaining(`rok/${tenant}/`),
      verb: 'raise_budget',
    });
    const signed = await rig.rok('token', ...BOB, '--verb', 'raise_budget', '--run', run, '--digest', action ?? '');
    const assertion = signed.out.trim();
    expect(await raise(run, '0.000001', '0.60', '--assertion', assertion)).toMatchObject({
      code: 4,
      err: saying('the assertion is for another action'),
    });
    const again = await rig.rok('token', ...BOB, '--verb', 'raise_budget', '--run', run, '--digest', action ?? '');
    const raised = await raise(run, '0.000001', '0.50', '--assertion', again.out.trim(), '--json');
    expect({ code: raised.code, said: JSON.parse(raised.out) as object }).toEqual({
      code: 0,
      said: {
        ...{ run, scope: 'tenant', subject: tenant, unit: 'usd_micros', window: 'month', from: '1', to: '500000' },
        ...{ reason: 'worth it', actor: 'bob', holds: [1] },
      },
    });
    expect(await rig.rok('run', 'wait', run)).toMatchObject({ code: 0 });
    expect((await rig.rok('run', 'watch', run)).out).toContain('raised    bob: tenant usd_micros from 1 to 500000');
    await eventually(async () => {
      const { code } = await rig.rok('verify', run, '--jwks', rig.keys.receiptKeySet);
      return code === 0 || null;
    });
    expect(await rig.rok('ledger', '--drift')).toMatchObject({ code: 0 });
  }, 60_000);

  it('refuses the requester, another cap and what is no raise, and says why; then takes a local actor', async () => {
    const { run } = await heldRun();
    expect(await raise(run, '0.000001', '0.50', '--as', 'alice', '--role', 'admin')).toMatchObject({
      code: 4,
      err: saying('who asked for the run does not answer for it'),
    });
    expect(await raise(run, '0.10', '0.50', ...BOB)).toMatchObject({
      code: 4,
      err: saying('the cap is 1, and the raise was based on 100000'),
    });
    expect(await raise(run, '0.50', '0.50', ...BOB)).toMatchObject({ code: 2, err: saying('more than it is from') });
    expect(await raise(run, 'much', '0.50', ...BOB)).toMatchObject({ code: 2, err: saying('is not a USD amount') });
    expect(
      await rig.rok(
        ...[
          'budget',
          'raise',
          run,
          '--scope',
          'label',
          '--unit',
          'calls',
          '--window',
          'day',
          '--from',
          '1',
          '--to',
          '2',
        ],
        ...[...WHY, ...BOB],
      ),
    ).toMatchObject({ code: 2, err: saying('a run may have many labels') });
    expect(await raise(run, '0.000001', '0.50', ...BOB)).toMatchObject({
      code: 0,
      out: saying('raised by local:bob: tenant usd_micros to 500000, hold 1 raised'),
    });
    expect(await rig.rok('run', 'wait', run)).toMatchObject({ code: 0 });
    // While its workflow closes, the run itself refuses; then Temporal does.
    await eventually(async () => {
      const { code, err } = await raise(run, '0.50', '0.60', ...BOB);
      expect(code).toBe(5);
      return err.includes('has ended') ? true : null;
    });
  }, 60_000);
});
