/** Rate limits through decide.step on a real PostgreSQL: what is waited for, held, denied, or only told of. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Snapshot } from '../../src/decide/snapshot.js';
import { uuidOf } from '../../src/domain/ids.js';
import { createRateRig, tenantLimit, type RateRig } from './rate-rig.js';

let rig: RateRig;
beforeAll(async () => {
  rig = await createRateRig();
});
afterEach(async () => {
  expect(await rig.cleared()).toEqual([]);
});
afterAll(() => rig.close());

describe('a soft limit', () => {
  it('is waited for exactly as long as needed, then the call is allowed', async () => {
    const one = await rig.started();
    await rig.limited(tenantLimit(one.tenant));
    await rig.at('10:00:00.000001');
    expect(await rig.look(one, 1)).toBe('allow');
    await rig.at('10:00:12.345678');
    expect(await rig.look(one, 2)).toEqual({
      deny: ['rate_limited rate.tenant.soft'],
      final: false,
      retryAfterMs: 17_655,
    });
    await rig.at('10:00:30.000000');
    expect(await rig.look(one, 2, 2)).toMatchObject({ retryAfterMs: 1 });
    await rig.at('10:00:30.000001');
    expect(await rig.look(one, 2, 3)).toBe('allow');
    expect(await rig.states(one.tenant)).toEqual([
      { scope: 'tenant', enforcement: 'soft', tat: '2026-11-24 10:01:00.000001+00' },
    ]);
  });

  it('is no denial among the counters, which policies read', async () => {
    const one = await rig.started();
    await rig.limited(tenantLimit(one.tenant));
    await rig.look(one, 1);
    expect(await rig.look(one, 2)).toMatchObject({ final: false });
    const [row] = await rig.decide.query<{ counters: Snapshot['counters'] }>(
      'SELECT counters FROM decide.runs WHERE run_id = $1',
      [uuidOf(one.run)],
    );
    expect(row?.counters).toMatchObject({ denials: 0, skillCalls: { look: 1 } });
  });

  it('that needs a minute or more holds the run, which goes on when the time has come, or at an approval', async () => {
    const one = await rig.started();
    await rig.limited(tenantLimit(one.tenant, { calls: 1, periodS: 600 }));
    await rig.at('11:00:00');
    expect(await rig.look(one, 1)).toBe('allow');
    const held = {
      pause: ['rate_limited rate.tenant.soft'],
      hold: { reason: 'RATE_LIMIT', authority: 'operator', onTimeout: 'continue' },
    };
    await rig.at('11:09:00');
    expect(await rig.look(one, 2)).toEqual(held);
    await rig.at('11:09:00.001');
    expect(await rig.look(one, 2, 2)).toMatchObject({ retryAfterMs: 59_999 });
    const [hold] = await rig.decide.query<{ seconds: number }>(
      `SELECT round(extract(epoch FROM until - opened_at))::int AS seconds FROM decide.holds WHERE run_id = $1`,
      [uuidOf(one.run)],
    );
    expect(hold?.seconds).toBe(60);
    const answered = (resolution: string) =>
      rig.stack.admin.query('UPDATE decide.holds SET resolution = $2 WHERE run_id = $1 AND resolution IS NULL', [
        uuidOf(one.run),
        resolution,
      ]);
    await answered('rejected');
    expect(await rig.look(one, 2, 3)).toEqual({ deny: ['approval_rejected rate'], final: false });
    const other = await rig.started('STRICT', one.tenant);
    expect(await rig.look(other, 1)).toMatchObject({ retryAfterMs: 59_999 });
    await rig.at('11:05:00');
    expect(await rig.look(other, 1, 2)).toEqual(held);
    await rig.stack.admin.query(`UPDATE decide.holds SET resolution = 'approved' WHERE run_id = $1`, [
      uuidOf(other.run),
    ]);
    expect(await rig.look(other, 1, 3)).toBe('allow');
  });

  it('that needs more than an hour ends the run where nobody answers', async () => {
    const one = await rig.started();
    await rig.limited(tenantLimit(one.tenant, { calls: 1, periodS: 86_400 }));
    await rig.look(one, 1);
    expect(await rig.look(one, 2)).toMatchObject({ hold: { reason: 'RATE_LIMIT', onTimeout: 'terminate' } });
  });
});

describe('a hard limit', () => {
  it('denies: a skill call is told to the model, a model call ends the run', async () => {
    const one = await rig.started();
    await rig.limited(tenantLimit(one.tenant, { enforcement: 'hard', burst: 2 }));
    expect([await rig.look(one, 1), await rig.look(one, 2)]).toEqual(['allow', 'allow']);
    expect(await rig.look(one, 3)).toEqual({ deny: ['rate_limited rate.tenant.hard'], final: false });
    expect(await rig.think(one, 4)).toEqual({ deny: ['rate_limited rate.tenant.hard'], final: true });
  });

  it('goes before a soft one: there is nothing to wait for', async () => {
    const one = await rig.started();
    await rig.limited(tenantLimit(one.tenant, { enforcement: 'hard' }));
    await rig.limited({ ...tenantLimit('*'), scope: 'skill' });
    await rig.look(one, 1);
    expect(await rig.look(one, 2)).toEqual({
      deny: ['rate_limited rate.skill.soft', 'rate_limited rate.tenant.hard'],
      final: false,
    });
  });
});

describe('in each profile', () => {
  it.each([
    ['STRICT', { deny: ['rate_limited rate.tenant.soft'], final: false, retryAfterMs: 30_000 }],
    ['STANDARD', ['allow', expect.stringMatching(/2 calls in 60 s, at most 1 at once; early by 30000 ms$/)]],
    ['OBSERVE_ONLY', ['allow', expect.stringMatching(/2 calls in 60 s, at most 1 at once$/)]],
  ] as const)('%s: a soft limit', async (profile, expected) => {
    const one = await rig.started(profile);
    await rig.limited(tenantLimit(one.tenant));
    await rig.at('16:00:00');
    expect(await rig.look(one, 1)).toBe('allow');
    expect(await rig.think(one, 2)).toEqual(expected);
    // What was let through early was not admitted by the limit.
    expect(await rig.states(one.tenant)).toEqual([
      { scope: 'tenant', enforcement: 'soft', tat: '2026-11-24 16:00:30+00' },
    ]);
  });

  it.each([
    ['STRICT', { deny: ['rate_limited rate.tenant.hard'], final: false }],
    ['STANDARD', { deny: ['rate_limited rate.tenant.hard'], final: false }],
    ['OBSERVE_ONLY', ['allow', expect.stringMatching(/2 calls in 60 s/)]],
  ] as const)('%s: a hard limit', async (profile, expected) => {
    const one = await rig.started(profile);
    await rig.limited(tenantLimit(one.tenant, { enforcement: 'hard' }));
    expect(await rig.look(one, 1)).toBe('allow');
    expect(await rig.look(one, 2)).toEqual(expected);
  });
});
