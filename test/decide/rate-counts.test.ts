/** What a rate limit counts, and what it does not, through decide.step on a real PostgreSQL; and many at once. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { Snapshot } from '../../src/decide/snapshot.js';
import { decideStep } from '../../src/decide/step/step.js';
import { uuidOf } from '../../src/domain/ids.js';
import { openDatabase } from '../../src/platform/postgres/database.js';
import { openLosingWay } from './lost-reply.js';
import { excess, type Limit } from './rate-model.js';
import { createRateRig, shown, tenantLimit, type RateRig } from './rate-rig.js';
import { skillCall } from './step-rig.js';

let rig: RateRig;
beforeAll(async () => {
  rig = await createRateRig();
});
afterEach(async () => {
  expect(await rig.cleared()).toEqual([]);
});
afterAll(() => rig.close());

describe('what counts', () => {
  it('a denied call uses nothing, whoever denied it', async () => {
    const one = await rig.started();
    await rig.limited(tenantLimit(one.tenant, { calls: 1, periodS: 3600, burst: 2 }));
    await rig.decide.query(
      `INSERT INTO decide.budgets (scope, subject, unit, time_window, cap) VALUES ('tenant', $1, 'calls', 'forever', 0)`,
      [one.tenant],
    );
    expect(await rig.look(one, 1)).toMatchObject({ deny: ['budget_exceeded budget.tenant.calls.forever'] });
    expect(await rig.look(one, 2, 1, skillCall(one.run, 2, 'unlisted'))).toMatchObject({
      deny: ['policy_not_permitted agent.skills'],
    });
    expect(await rig.look(one, 3, 1, skillCall(one.run, 3, 'pay'))).toMatchObject({
      hold: { reason: 'APPROVAL_REQUIRED' },
    });
    // The state's row was made when the budget was asked; it has not moved.
    expect(await rig.states(one.tenant)).toEqual([
      { scope: 'tenant', enforcement: 'soft', tat: '1970-01-01 00:00:00+00' },
    ]);
  });

  it('the same decision asked for again, at once or after a crash before its commit or after it, uses one', async () => {
    const one = await rig.started();
    await rig.limited(tenantLimit(one.tenant, { calls: 1, periodS: 3600, burst: 3 }));
    await rig.at('12:00:00');
    const request = skillCall(one.run, 1, 'look');
    await expect(
      rig.as(async (sql) => {
        await decideStep(sql, rig.deps, one.caller, request);
        throw new Error('the worker died');
      }),
    ).rejects.toThrow('the worker died');
    expect(await rig.states(one.tenant)).toEqual([]);
    const way = await openLosingWay(rig.stack.urls.decide);
    const losing = await openDatabase(way.url(rig.stack.urls.decide), {
      login: 'decide',
      applicationName: 'tests',
      max: 1,
    });
    await expect(losing.transaction((sql) => decideStep(sql, rig.deps, one.caller, request))).rejects.toThrow();
    expect(way.lost).toBe(1);
    await losing.close();
    await way.close();
    const used = [{ scope: 'tenant', enforcement: 'soft', tat: '2026-11-24 13:00:00+00' }];
    expect(await rig.states(one.tenant)).toEqual(used);
    const answers = await Promise.all(Array.from({ length: 8 }, () => rig.step(one.caller, request)));
    expect(answers.map(shown)).toEqual(answers.map(() => 'allow'));
    expect(await rig.states(one.tenant)).toEqual(used);
  });

  it('a limit for each applies to every one by itself, and one of its own goes before it', async () => {
    const [one, two] = [await rig.started(), await rig.started()];
    await rig.limited({ ...tenantLimit('*'), enforcement: 'hard' });
    await rig.limited({ ...tenantLimit(two.tenant), enforcement: 'hard', burst: 2 });
    expect([await rig.look(one, 1), await rig.look(two, 1), await rig.look(two, 2)]).toEqual([
      'allow',
      'allow',
      'allow',
    ]);
    expect(await rig.look(one, 2)).toMatchObject({ deny: ['rate_limited rate.tenant.hard'] });
    expect(await rig.look(two, 3)).toMatchObject({ deny: ['rate_limited rate.tenant.hard'] });
  });

  it('model and skill are limited for all tenants together, agents by tenant', async () => {
    const [one, two] = [await rig.started(), await rig.started()];
    await rig.limited({ ...tenantLimit('scripted/a'), scope: 'model', enforcement: 'hard' });
    await rig.limited({ ...tenantLimit('*'), scope: 'agent', enforcement: 'hard' });
    expect(await rig.think(one, 1)).toBe('allow');
    expect(await rig.think(two, 1)).toMatchObject({ deny: ['rate_limited rate.model.hard'] });
    expect(await rig.look(two, 2)).toBe('allow');
    expect(await rig.look(two, 3)).toMatchObject({ deny: ['rate_limited rate.agent.hard'] });
  });

  it('the stored snapshot alone gives the decision again', async () => {
    const one = await rig.started();
    await rig.limited(tenantLimit(one.tenant));
    await rig.at('14:00:00');
    await rig.look(one, 1);
    await rig.at('14:00:01');
    await rig.look(one, 2);
    const rows = await rig.decide.query<{ body: string; effect: string; kept: { retryAfterMs?: number } }>(
      `SELECT s.body, d.effect, d.body AS kept FROM decide.decisions d
      JOIN decide.snapshots s ON s.run_id = d.run_id AND s.digest = d.snapshot_digest
      WHERE d.run_id = $1 AND d.step > 0 ORDER BY d.step`,
      [uuidOf(one.run)],
    );
    const { intent } = skillCall(one.run, 1, 'look');
    const { deployed } = rig.deps;
    const again = rows.map(({ body }) => deployed.checker.check(intent, JSON.parse(body) as Snapshot).answer.ruling);
    expect(again).toEqual([
      expect.objectContaining({ effect: 'allow' }),
      expect.objectContaining({ effect: 'deny', retryAfterMs: 29_000 }),
    ]);
    expect(rows.map(({ effect, kept }) => [effect, kept.retryAfterMs])).toEqual([
      ['allow', undefined],
      ['deny', 29_000],
    ]);
    // The facts as they were before this call moved them.
    expect((JSON.parse(rows[1]?.body ?? '{}') as Snapshot).rates).toEqual({
      nowUs: Date.parse('2026-11-24T14:00:01Z') * 1000,
      limits: [
        {
          scope: 'tenant',
          subject: one.tenant,
          enforcement: 'soft',
          calls: 2,
          periodS: 60,
          burst: 1,
          everyUs: 30_000_000,
          tatUs: Date.parse('2026-11-24T14:00:30Z') * 1000,
        },
      ],
    });
  });

  it('STANDARD does not ask again of an action that it decided before, but counts it', async () => {
    const one = await rig.started('STANDARD');
    await rig.limited(tenantLimit(one.tenant, { enforcement: 'hard', burst: 2 }));
    await rig.at('15:00:00');
    for (const attempt of [1, 2, 3]) expect(await rig.look(one, 1, attempt)).toBe('allow');
    expect(await rig.states(one.tenant)).toEqual([
      { scope: 'tenant', enforcement: 'hard', tat: '2026-11-24 15:01:00+00' },
    ]);
    expect(await rig.look(one, 2)).toMatchObject({ deny: ['rate_limited rate.tenant.hard'] });
  });
});

it('four connections at once admit exactly the burst, of one tenant and of one model, without a deadlock', async () => {
  const tenants = [`t-${randomUUID()}`, `t-${randomUUID()}`];
  for (const tenant of tenants) await rig.limited(tenantLimit(tenant, { enforcement: 'hard', burst: 40 }));
  await rig.limited({ ...tenantLimit('look'), scope: 'skill', enforcement: 'hard', burst: 50 });
  await rig.at('17:00:00');
  const runs = await Promise.all(tenants.flatMap((tenant) => [0, 1].map(() => rig.started('STRICT', tenant))));
  const admitted = await Promise.all(
    runs.map(async (one) => {
      let allowed = 0;
      for (let step = 1; step <= 40; step += 1) if ((await rig.look(one, step)) === 'allow') allowed += 1;
      return allowed;
    }),
  );
  expect(admitted.reduce((sum, one) => sum + one, 0)).toBe(50);
  const [perTenant] = await rig.decide.query<{ most: number }>(
    `SELECT max(n)::int AS most FROM (SELECT count(*) AS n FROM decide.decisions d JOIN decide.runs r USING (run_id)
      WHERE r.tenant = ANY ($1) AND d.kind = 'skill.call' AND d.effect = 'allow' GROUP BY r.tenant) t`,
    [tenants],
  );
  expect(perTenant?.most).toBeLessThanOrEqual(40);
});

it('eight runs at once, as fast as they can, by the clock: no stretch of time holds more than burst + rate × time', async () => {
  const tenants = [`t-${randomUUID()}`, `t-${randomUUID()}`];
  const limits: readonly Limit[] = [
    tenantLimit('*', { calls: 90, periodS: 1, burst: 4 }),
    { ...tenantLimit('*', { calls: 70, periodS: 1, burst: 3, enforcement: 'hard' }), scope: 'agent' },
    { ...tenantLimit('look', { calls: 60, periodS: 1, burst: 5 }), scope: 'skill' },
    { ...tenantLimit('scripted/a', { calls: 40, periodS: 1, burst: 1 }), scope: 'model' },
  ];
  for (const one of limits) await rig.limited(one);
  // The ledger's rows are locked after the rates', by all of them.
  for (const tenant of tenants)
    await rig.decide.query(
      `INSERT INTO decide.budgets (scope, subject, unit, time_window, cap) VALUES ('tenant', $1, 'calls', 'day', 1000)`,
      [tenant],
    );
  const runs = await Promise.all(tenants.flatMap((tenant) => [0, 1, 2, 3].map(() => rig.started('STRICT', tenant))));
  const until = performance.now() + 1_500;
  await Promise.all(
    runs.map(async (one, nth) => {
      for (let step = 1; performance.now() < until && step < 100; step += 1)
        await ((step + nth) % 2 === 0 ? rig.look(one, step) : rig.think(one, step));
    }),
  );
  const allowed = await rig.decide.query<{ tenant: string; target: string; at_us: number }>(
    `SELECT r.tenant, split_part(d.target, '@', 1) AS target, (s.body::jsonb #>> '{rates,nowUs}')::float8 AS at_us
    FROM decide.decisions d JOIN decide.runs r USING (run_id)
    JOIN decide.snapshots s ON s.run_id = d.run_id AND s.digest = d.snapshot_digest
    WHERE r.tenant = ANY ($1) AND d.effect = 'allow' AND d.kind IN ('model.call', 'skill.call') ORDER BY at_us`,
    [tenants],
  );
  const times = (of: (one: (typeof allowed)[number]) => boolean) => allowed.filter(of).map((one) => one.at_us);
  for (const limit of limits) {
    const groups =
      limit.scope === 'tenant' || limit.scope === 'agent'
        ? tenants.map((tenant) => times((one) => one.tenant === tenant))
        : [times((one) => one.target === limit.subject)];
    for (const at of groups) {
      expect(at.length).toBeGreaterThan(limit.burst);
      expect(excess({ limit, at })).toBeLessThanOrEqual(0);
    }
  }
}, 30_000);

it('a limit that is none, or one whose burst is never back, is refused at the door', async () => {
  for (const wrong of [
    { calls: 0 },
    { burst: 0 },
    { periodS: 0 },
    { scope: 'run' as never },
    { calls: 1, periodS: 2_678_400, burst: 1_000_000 },
  ])
    await expect(rig.limited(tenantLimit('acme', wrong))).rejects.toThrow(/check constraint/);
  await expect(
    rig.decide.query(`INSERT INTO decide.rate_limits VALUES ('tenant', 'acme', 'soft', 1, 1, 1)`),
  ).rejects.toThrow(/permission denied/);
  await rig.limited(tenantLimit('acme'));
  const one = await rig.started('STRICT', 'acme');
  await rig.look(one, 1);
  await expect(rig.stack.admin.query('UPDATE decide.rate_states SET tat_us = tat_us - 1')).rejects.toThrow(
    'what a rate limit admitted is not taken back',
  );
});
