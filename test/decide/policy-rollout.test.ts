/** A published set reaches a run at its next step, is its tenant's alone, and broken stops nothing but what it is asked. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { bodyOf, digestOf, NO_EXTRAS } from '../../src/domain/policy-source.js';
import { uuidOf } from '../../src/domain/ids.js';
import type { StepAnswer } from '../../src/domain/protocol/decide.js';
import { createStepRig, skillCall, type StepRig } from './step-rig.js';

let rig: StepRig;
beforeAll(async () => {
  rig = await createStepRig();
});
afterAll(() => rig.close());

const openIn = (tenant: string) =>
  rig.open({ tenant }, { workflowId: `rok/${tenant}/${randomUUID()}`, temporalRunId: randomUUID() });
const said = (answer: StepAnswer) =>
  answer.kind !== 'decided'
    ? answer.kind
    : [
        answer.ruling.effect,
        ...(answer.ruling.effect === 'allow' ? [] : answer.ruling.reasons.map(({ code }) => code)),
      ];
const setOf = (answer: StepAnswer) => (answer.kind === 'decided' ? answer.digests.policySetDigest : null);

/** @returns the set's digest */
async function rollOut(tenant: string, text: string, body?: string): Promise<string> {
  const source = { files: { default: text }, ...NO_EXTRAS };
  const digest = digestOf(source);
  await rig.stack.admin.query(
    `INSERT INTO decide.policy_sets (digest, body, author, reason) VALUES ($1, $2, 'pat', 'a trial') ON CONFLICT DO NOTHING`,
    [digest, body ?? bodyOf(source)],
  );
  await rig.stack.admin.query(
    `INSERT INTO decide.rollouts (tenant, digest, author, reason) VALUES ($1, $2, 'pat', 'a trial')`,
    [tenant, digest],
  );
  return digest;
}

const permit = '@id("all") permit (principal, action, resource);';

describe('a rollout', () => {
  it('is met by a running run at its next step, which names the set, and by no other tenant', async () => {
    const [mine, other] = [await rig.open(), await openIn('globex')];
    const before = await rig.step(mine.caller, skillCall(mine.opened.run, 1, 'look'));
    expect([said(before), setOf(before)]).toEqual([['allow'], rig.deps.deployed.policies.digest]);
    const digest = await rollOut(
      'acme',
      `${permit} @id("no") forbid (principal, action == Action::"skill.call", resource);`,
    );
    const after = await rig.step(mine.caller, skillCall(mine.opened.run, 2, 'look'));
    expect([said(after), setOf(after)]).toEqual([['deny', 'policy_forbids'], digest]);
    const theirs = await rig.step(other.caller, skillCall(other.opened.run, 1, 'look'));
    expect([said(theirs), setOf(theirs)]).toEqual([['allow'], rig.deps.deployed.policies.digest]);
    const stored = await rig.decide.query(
      'SELECT step, policy_set_digest AS set FROM decide.decisions WHERE run_id = $1 AND step > 0 ORDER BY step',
      [uuidOf(mine.opened.run)],
    );
    expect(stored).toEqual([
      { step: 1, set: rig.deps.deployed.policies.digest },
      { step: 2, set: digest },
    ]);
  });

  it('for all tenants is for those without one of their own, and the latest counts', async () => {
    const all = await rollOut('', permit);
    const own = await rollOut('initech', `${permit} `);
    const set = async (tenant: string) => {
      const { opened, caller } = await openIn(tenant);
      return setOf(await rig.step(caller, skillCall(opened.run, 1, 'look')));
    };
    expect(await set('hooli')).toBe(all);
    expect(await set('initech')).toBe(own);
    const later = await rollOut('initech', `${permit}  `);
    expect(await set('initech')).toBe(later);
  });

  it('of a set that does not load denies by its own reason; halts are told beside it', async () => {
    const { opened, caller } = await openIn('umbrella');
    await rollOut('umbrella', 'permit (principal', '{"files":');
    expect(said(await rig.step(caller, skillCall(opened.run, 1, 'look')))).toEqual(['deny', 'check_failed']);
    await rig.decide.query(
      `INSERT INTO decide.halts (scope, subject, reason, set_by) VALUES ('tenant', 'umbrella', 'r', 'o')`,
    );
    expect(said(await rig.step(caller, skillCall(opened.run, 2, 'look')))).toEqual(['deny', 'halted', 'check_failed']);
  });

  it('is written by the deciders alone, and never changed', async () => {
    const roll = `INSERT INTO decide.rollouts (tenant, digest, author, reason) SELECT 'x', digest, 'a', 'b' FROM decide.policy_sets LIMIT 1`;
    await expect(rig.execute.query(roll)).rejects.toMatchObject({ code: '42501' });
    await expect(rig.stack.admin.query(`UPDATE decide.rollouts SET tenant = 'x'`)).rejects.toMatchObject({
      code: '55000',
    });
  });
});
