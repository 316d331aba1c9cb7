/** What a raise is, what signs for it, and what the database takes from the deciders' login. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createLocalJWKSet } from 'jose';
import { randomUUID } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createClaimVerifier } from '../../src/decide/actors/access.js';
import { uuidOf } from '../../src/domain/ids.js';
import { parseRaise, raiseDigest, raiseText, type BudgetRaise } from '../../src/domain/protocol/raise.js';
import { temporaryFolder } from '../stack/servers.js';
import { createAssertions, type Assertions } from '../workflows/signing.js';
import { createRaiseRig, of, ruleOf, type RaiseRig } from './raise-rig.js';

let rig: RaiseRig;
let folder: string;
let assertions: Assertions;
beforeAll(async () => {
  rig = await createRaiseRig();
  folder = await temporaryFolder('raises');
  assertions = await createAssertions(join(folder, 'keys.json'));
});
afterAll(async () => {
  await rig.close();
  await rm(folder, { recursive: true, force: true });
});

describe('what signs for a raise, and what the database takes', () => {
  it('an assertion for one raise serves no other, and serves once', async () => {
    const opened = await rig.heldRun();
    const keys = JSON.parse(await readFile(assertions.keySet, 'utf8')) as Parameters<typeof createLocalJWKSet>[0];
    const deps = { ...rig.deps, verifyClaim: createClaimVerifier(createLocalJWKSet(keys)) };
    const small = of(opened, { to: '300' });
    const signed = async (updateId: string) => ({
      updateId,
      deps,
      claim: await assertions.claim({
        workflow: opened.caller.workflowId,
        verb: 'raise_budget',
        sub: 'bob',
        roles: ['approver:finance'],
        update: updateId,
        action: raiseDigest(small),
      }),
    });
    expect(ruleOf(await rig.raise(opened, of(opened, { to: '301' }), await signed('u1')))).toBe('access.action');
    expect(ruleOf(await rig.raise(await rig.heldRun(), small, await signed('u1')))).toBe('access.assertion');
    expect(await rig.capOf(opened.tenant)).toBe(150n);
    const by = await signed('u2');
    expect(ruleOf(await rig.raise(opened, small, by))).toBe('allowed');
    expect(ruleOf(await rig.raise(opened, small, { ...by, updateId: 'u3' }))).toBe('access.update');
    expect(await rig.capOf(opened.tenant)).toBe(300n);
  });

  it('the login raises no cap by itself, nor through the function without an allowed act for just this', async () => {
    const opened = await rig.heldRun();
    await expect(rig.decide.query('UPDATE decide.budgets SET cap = 1 WHERE false')).rejects.toMatchObject({
      code: '42501',
    });
    const bare = (text: string, digest: string | null, verb = 'raise_budget', allowed = true) =>
      rig.as(async (sql) => {
        const updateId = randomUUID();
        await sql.query('SELECT decide.raise_budget($1, $2, $3)', [uuidOf(opened.run), updateId, text]);
        if (digest === null) return;
        await sql.query(
          `INSERT INTO decide.acts (run_id, update_id, verb, actor, roles, issuer, action_digest, allowed, person)
          VALUES ($1, $2, $3, 'local:bob', '{}', 'local', $4, $5, decide.person_of('t', '{"issuer": "local", "subject": "bob", "folded": "bob"}'))`,
          [uuidOf(opened.run), updateId, verb, digest, allowed],
        );
      });
    const asked = of(opened);
    const text = raiseText(asked);
    await expect(bare(text, null)).rejects.toMatchObject({ code: expect.stringMatching(/^23(503|514)$/) });
    await expect(bare(text, raiseDigest(of(opened, { to: '999' })))).rejects.toMatchObject({ code: '23514' });
    await expect(bare(text, raiseDigest(asked), 'approve')).rejects.toMatchObject({ code: '23514' });
    await expect(bare(text, raiseDigest(asked), 'raise_budget', false)).rejects.toMatchObject({ code: '23514' });
    const lowered = raiseText({ ...asked, to: '149' });
    await expect(bare(lowered, raiseDigest({ ...asked, to: '149' }))).rejects.toMatchObject({ code: '23514' });
    expect(await rig.capOf(opened.tenant)).toBe(150n);
    // The guard that is tried here lets the right one through.
    await bare(text, raiseDigest(asked));
    expect(await rig.capOf(opened.tenant)).toBe(1000n);
  });

  it('the database computes the digest that is signed, whatever the reason says', async () => {
    const opened = await rig.heldRun();
    let cap = 150;
    await fc.assert(
      fc.asyncProperty(fc.string({ minLength: 1, maxLength: 40, unit: 'binary' }), async (reason) => {
        const asked = of(opened, { from: String(cap), to: String(cap + 1), reason });
        fc.pre(parseRaise(asked).ok);
        expect(ruleOf(await rig.raise(opened, asked))).toBe('allowed');
        cap += 1;
      }),
      { numRuns: 40 },
    );
    expect(await rig.raisesOf(opened)).toHaveLength(cap - 150);
  });

  const cap = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }).map(String);
  it('a raise is upwards, within a bigint, of a budget that can be; two that differ have two digests', () => {
    const good = { scope: 'tenant', subject: 'acme', unit: 'calls', window: 'day', from: '0', to: '1', reason: 'r' };
    fc.assert(
      fc.property(cap, cap, (from, to) => {
        expect(parseRaise({ ...good, from, to }).ok).toBe(BigInt(to) > BigInt(from));
      }),
    );
    for (const bad of [
      null,
      'raise',
      { ...good, scope: 'world' },
      { ...good, scope: 'all' },
      { ...good, subject: '' },
      { ...good, subject: 7 },
      { ...good, subject: 'a\0' },
      { ...good, unit: 'usd' },
      { ...good, window: 'week' },
      { ...good, to: '9223372036854775808' },
      { ...good, to: '01' },
      { ...good, to: '1.5' },
      { ...good, to: 'NaN' },
      { ...good, to: 1 },
      { ...good, from: '-1' },
      { ...good, reason: ' ' },
      { ...good, reason: 'x'.repeat(1001) },
      { ...good, reason: undefined },
    ])
      expect(parseRaise(bad)).toEqual({ ok: false, problem: expect.any(String) });
    const parsed = parseRaise({ ...good, actor: 'and what else the message has' });
    expect(parsed).toEqual({ ok: true, raise: good });
    const base = good as BudgetRaise;
    const others: readonly Partial<BudgetRaise>[] = [
      { scope: 'agent' },
      { subject: 'acme2' },
      { unit: 'tokens' },
      { window: 'month' },
      { from: '2' },
      { to: '2' },
      { reason: 's' },
    ];
    expect(new Set([base, ...others.map((one) => ({ ...base, ...one }))].map(raiseDigest)).size).toBe(8);
  });
});

it('what is no raise is not asked of the ledger', async () => {
  const opened = await rig.heldRun();
  await expect(rig.raise(opened, { ...of(opened), to: '150' })).rejects.toMatchObject({ code: 'usage' });
});
