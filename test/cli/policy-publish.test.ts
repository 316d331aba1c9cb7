/** Policy sets through the command line on the real stack: what is refused, what a run meets, what would change. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '../stack/servers.js';
import { deploymentIn, policiesIn, refund } from './deployment.js';
import { createRig, eventually, saying, type Rig } from './rig.js';

const PERMIT = '@id("all") permit (principal, action, resource);';
const REFUND = 'principal, action == Action::"skill.call", resource == Skill::"orders.refund"';
const ASK = `@id("large") @effect("pause") @authority("finance") forbid (${REFUND}) when { context.arguments.amount_cents > 10000 };`;
const CEILING = `@id("ceiling") @reason("too much") forbid (${REFUND}) when { context.arguments.amount_cents > 20000 };`;
const SCHEMA = 'type Arguments = { amount_cents: Long };';
const TESTS = (expected: string): string =>
  `- name: a refund of 300.00\n  request: { kind: skill.call, target: orders.refund@1, arguments: { amount_cents: 30000 } }\n  expect: ${expected}\n`;

let rig: Rig;
let folder: string;
beforeAll(async () => {
  folder = await temporaryFolder('publish');
  const agents = { refunder: { turns: [{ calls: [refund(15_000)] }, { calls: [refund(30_000)] }, {}] } };
  rig = await createRig({ env: await deploymentIn(folder, agents, { 'default.cedar': PERMIT + ASK }) });
}, 60_000);
afterAll(async () => {
  await rig.stop();
  await rm(folder, { recursive: true, force: true });
});

const setOf = (name: string, ...policies: readonly string[]) =>
  policiesIn(join(folder, name), { 'default.cedar': policies.join('\n'), 'skills.cedarschema': SCHEMA });
const PAT = ['--as', 'pat', '--role', 'policy_author', '--sign', '--reason', 'a trial'];
const publish = (set: string, ...more: readonly string[]) => rig.rok('policy', 'publish', set, ...more);
const start = async (tenant: string): Promise<string> => {
  const { out } = await rig.rok('run', 'start', 'refunder', '--input', 'go', '--as', 'alice', '--tenant', tenant);
  return out.trim();
};
const held = (run: string) =>
  eventually(async () => {
    const rows = await rig.stack.admin.query<{ hold: number; digest: string }>(
      'SELECT hold, action_digest AS digest FROM decide.holds WHERE run_id = $1 AND resolved_at IS NULL',
      [run.slice(4)],
    );
    return rows[0];
  });
const answer = (verb: string, run: string, digest: string) =>
  rig.rok('approval', verb, run, '--digest', digest, '--as', 'fay', '--role', 'approver:finance');
const decided = (run: string) =>
  rig.stack.admin.query<{ effect: string; set: string; determining: readonly string[] }>(
    `SELECT effect, policy_set_digest AS set, body -> 'determining' AS determining FROM decide.decisions
    WHERE run_id = $1 AND kind = 'skill.call' ORDER BY step, attempt`,
    [run.slice(4)],
  );
const stored = async () => {
  const [row] = await rig.stack.admin.query<{ sets: number; rollouts: number }>(
    `SELECT (SELECT count(*)::int FROM decide.policy_sets) AS sets, (SELECT count(*)::int FROM decide.rollouts) AS rollouts`,
  );
  return row;
};
const acts = () =>
  rig.stack.admin.query<{ actor: string; subject: string; code: string | null }>(
    'SELECT actor, subject, code FROM decide.admin_acts ORDER BY at',
  );

describe('rok policy publish', () => {
  it('stores nothing that is not fit, or by whom may not; each refusal has its exit code and its row', async () => {
    const before = await stored();
    const good = await setOf('good', PERMIT, ASK, CEILING);
    const failing = await policiesIn(join(folder, 'failing'), {
      'default.cedar': PERMIT + ASK,
      'skills.cedarschema': SCHEMA,
      'default.test.yaml': TESTS('deny'),
    });
    const tenant = ['--tenant', 'acme'];
    const bob = ['--as', 'bob', '--role', 'operator', '--role', 'approver:finance', '--reason', 'mine'];
    expect(await publish(good, ...tenant, ...bob)).toMatchObject({ code: 4, err: saying('(grants/policy.publish)') });
    expect(
      await publish(await setOf('typo', PERMIT, CEILING.replace('amount_cents', 'amuont')), ...tenant, ...PAT),
    ).toMatchObject({
      code: 1,
      err: saying('default/ceiling'),
    });
    expect(
      await publish(await policiesIn(join(folder, 'other'), { 'other.cedar': PERMIT }), ...tenant, ...PAT),
    ).toMatchObject({
      code: 1,
      err: saying('agent `refunder` names policy file `default`, which is not in the set'),
    });
    expect(await publish(failing, ...tenant, ...PAT)).toMatchObject({
      code: 7,
      err: saying('a refund of 300.00: it is pause, expected deny'),
    });
    expect(await publish(good, ...PAT)).toMatchObject({ code: 2 });
    expect(await publish(good, ...tenant, '--all-tenants', ...PAT)).toMatchObject({ code: 2 });
    expect(await stored()).toEqual(before);
    expect(await acts()).toEqual(
      ['actor_refused', 'policy_invalid', 'policy_invalid', 'policy_test_failed'].map((code) => ({
        actor: code === 'actor_refused' ? 'local:bob' : 'pat',
        subject: 'acme',
        code,
      })),
    );
  }, 60_000);

  it('is met by a running run at its next step, of its tenant alone; named with author and reason', async () => {
    const [mine, other] = [await start('acme'), await start('globex')];
    const [first, theirs] = [await held(mine), await held(other)];
    const published = await publish(join(folder, 'good'), '--tenant', 'acme', ...PAT);
    expect(published).toMatchObject({ code: 0, err: 'published by pat for acme\n' });
    const digest = published.out.trim();
    expect(await rig.stack.admin.query('SELECT tenant, digest, author, reason FROM decide.rollouts')).toEqual([
      { tenant: 'acme', digest, author: 'pat', reason: 'a trial' },
    ]);
    await answer('approve', mine, first.digest);
    await answer('approve', other, theirs.digest);
    const second = await eventually(async () => {
      const hold = await held(other);
      return hold.hold > theirs.hold ? hold : null;
    });
    await answer('reject', other, second.digest);
    for (const run of [mine, other]) expect(await rig.rok('run', 'wait', run)).toMatchObject({ code: 0 });
    const [deployed] = (await decided(other)).map(({ set }) => set);
    expect((await decided(mine)).map(({ effect, set }) => [effect, set])).toEqual([
      ['pause', deployed],
      ['allow', digest],
      ['deny', digest],
    ]);
    expect((await decided(other)).map(({ effect, set }) => [effect, set])).toEqual([
      ['pause', deployed],
      ['allow', deployed],
      ['pause', deployed],
      ['deny', deployed],
    ]);
    const watched = await rig.rok('run', 'watch', mine, '--json');
    expect(watched.out).toContain(digest);
  }, 90_000);
});

describe('rok policy diff', () => {
  const json = (out: string): unknown => JSON.parse(out.trim().split('\n').at(-1) ?? '');

  it('names what was added, removed and changed; a layout is no change', async () => {
    const other = await setOf(
      'changed',
      PERMIT.replace('(', '(\n '),
      CEILING.replace('20000', '30000'),
      CEILING.replace('ceiling', 'new'),
    );
    const { code, out } = await rig.rok('policy', 'diff', other, '--against', join(folder, 'good'), '--json');
    expect([code, json(out)]).toEqual([
      0,
      {
        changes: [
          { what: 'default/ceiling', change: 'changed' },
          { what: 'default/large', change: 'removed' },
          { what: 'default/new', change: 'added' },
        ],
      },
    ]);
    expect((await rig.rok('policy', 'diff', join(folder, 'good'), '--tenant', 'acme')).out).toBe('no policy differs\n');
    expect(await rig.rok('policy', 'diff', join(folder, 'good'), '--tenant', 'globex')).toMatchObject({ code: 3 });
    expect(await rig.rok('policy', 'diff', other, '--against', 'f'.repeat(64))).toMatchObject({ code: 3 });
    expect(await rig.rok('policy', 'diff', other, '--against', '/nowhere')).toMatchObject({ code: 3 });
  }, 30_000);

  it('makes the last decisions again: none otherwise by the set they were made by, and just those that it is about by another', async () => {
    const again = async (set: string, tenant: string) => {
      const { code, out } = await rig.rok(
        'policy',
        'diff',
        set,
        '--against',
        set,
        '--tenant',
        tenant,
        '--last',
        '500',
        '--json',
      );
      const { replayed } = json(out) as {
        replayed: {
          decisions: number;
          untold: number;
          changed: readonly { was: string; is: string; rules: readonly string[] }[];
        };
      };
      return { code, ...replayed, changed: replayed.changed.map(({ was, is, rules }) => [was, is, ...rules]) };
    };
    const strict = await setOf('strict', PERMIT, ASK, CEILING.replace('20000', '12000'));
    // Made by the deployed set, which has no ceiling; the two above 12000 would be forbidden: the held and the approved one.
    const all = await again(strict, 'globex');
    expect(all).toMatchObject({ code: 7, untold: 0 });
    expect(all.changed).toEqual([
      ['pause', 'deny', 'default/ceiling', 'default/large'],
      ['allow', 'deny', 'default/ceiling'],
      ['pause', 'deny', 'default/ceiling', 'default/large'],
    ]);
    expect(await again(await setOf('same', PERMIT, ASK), 'globex')).toMatchObject({ code: 0, untold: 0, changed: [] });
    expect(await again(await setOf('same', PERMIT, ASK), 'nobody')).toMatchObject({ code: 0, decisions: 0 });
  }, 60_000);
});
