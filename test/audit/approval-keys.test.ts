/** What the audit's keys do not know yet, and who an act was by, as the audit derives it. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import {
  createLocalJWKSet,
  exportJWK,
  generateKeyPair,
  SignJWT,
  type CryptoKey,
  type JSONWebKeySet,
  type JWTPayload,
} from 'jose';
import { checkApprovals, type AssertionKeys } from '../../src/audit/evidence/approval-checks.js';
import { judgeDue } from '../../src/audit/judge/judge.js';
import { runIdOf } from '../../src/domain/ids.js';
import { parseIssuers } from '../../src/domain/person.js';
import type { OpenDatabase } from '../../src/platform/postgres/database.js';
import { createStack, type Stack } from '../stack/stack.js';
import { aRun } from './facts.js';
import { openAs, verdictsOf } from './judged.js';
import { plant } from './plant.js';

const ACTION = 'a'.repeat(64);
const SOMEBODY = `decide.person_of('acme', '{"issuer": "x", "subject": "somebody", "folded": "somebody"}')`;

let key: CryptoKey;
let set: JSONWebKeySet;
let keys: AssertionKeys;
let stack: Stack;
let audit: OpenDatabase;
beforeAll(async () => {
  const issuer = await generateKeyPair('EdDSA', { crv: 'Ed25519' });
  key = issuer.privateKey;
  set = { keys: [{ ...(await exportJWK(issuer.publicKey)), kid: 'issuer-1', alg: 'EdDSA' }] };
  keys = { keys: createLocalJWKSet(set), issuers: parseIssuers('staff=https://issuer,https://other') };
  stack = await createStack();
  audit = await openAs(stack, 'audit');
});
afterAll(async () => {
  await audit.close();
  await stack.drop();
});

const signedBy = (claims: JWTPayload, by: CryptoKey, kid = 'issuer-1'): Promise<string> =>
  new SignJWT({ sub: 'bob', verb: 'approve', action: ACTION, roles: ['approver:finance'], ...claims })
    .setProtectedHeader({ alg: 'EdDSA', kid })
    .sign(by);

it('a key or an issuer that the audit does not have yet is no forgery: tried again, verified when it is there, a finding after a day', async () => {
  const facts = aRun();
  await plant(stack.admin, [facts]);
  const next = await generateKeyPair('EdDSA', { crv: 'Ed25519' });
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: 'https://issuer', aud: `rok/acme/${facts.run}`, iat: now, exp: now + 200 };
  const signed = (update: string, over: JWTPayload, by: CryptoKey, kid: string): Promise<string> =>
    signedBy({ ...claims, jti: update, update, ...over }, by, kid);
  const insert = `INSERT INTO decide.acts (run_id, update_id, verb, actor, roles, issuer, token_id, assertion, action_digest, allowed, at, person)
    VALUES ($1, $2, 'approve', 'bob', '{approver:finance}', $3, $2, $4, $5, true, $6, ${SOMEBODY})`;
  const store = async (update: string, issuer: string, assertion: string, at: Date) =>
    stack.admin.query(insert, [facts.run, update, issuer, assertion, ACTION, at.toISOString()]);
  const today = new Date(now * 1000);
  const old = now - 90_000;
  await store('new-key', 'https://issuer', await signed('new-key', {}, next.privateKey, 'issuer-2'), today);
  await store('new-issuer', 'https://new', await signed('new-issuer', { iss: 'https://new' }, key, 'issuer-1'), today);
  const overdue = await signed('never', { iat: old, exp: old + 100 }, next.privateKey, 'issuer-3');

  expect(await checkApprovals(audit, keys)).toEqual({ checked: 0, uncheckable: 2 });
  await judgeDue(audit);
  expect(await verdictsOf(stack.admin, [facts.run])).toEqual([{ status: 'COMPLETE', findings: [] }]);
  // They stand in nobody's way: what comes after them is checked, and the cursor has gone on.
  await store('after', 'https://issuer', await signed('after', {}, key, 'issuer-1'), new Date());
  expect(await checkApprovals(audit, keys)).toEqual({ checked: 1, uncheckable: 2 });

  // The rotation arrives at the audit: its set has both keys, its groups have the new issuer.
  const jwk = async (publicKey: CryptoKey, kid: string) => ({ ...(await exportJWK(publicKey)), kid, alg: 'EdDSA' });
  const rotated: AssertionKeys = {
    keys: createLocalJWKSet({ keys: [...set.keys, await jwk(next.publicKey, 'issuer-2')] }),
    issuers: parseIssuers('staff=https://issuer,https://other,https://new'),
  };
  const again = () => stack.admin.query('UPDATE audit.unchecked_approvals SET again_at = clock_timestamp()');
  expect(await checkApprovals(audit, rotated)).toEqual({ checked: 0, uncheckable: 2 });
  await again();
  expect(await checkApprovals(audit, rotated)).toEqual({ checked: 2, uncheckable: 0 });
  await judgeDue(audit);
  expect(await verdictsOf(stack.admin, [facts.run])).toEqual([{ status: 'COMPLETE', findings: [] }]);

  await store('never', 'https://issuer', overdue, new Date(old * 1000));
  expect(await checkApprovals(audit, rotated, runIdOf(facts.run))).toEqual({ checked: 1, uncheckable: 0 });
  await judgeDue(audit);
  expect((await verdictsOf(stack.admin, [facts.run]))[0]).toMatchObject({
    status: 'INCOMPLETE',
    findings: [
      { code: 'FORGED_APPROVAL', subject: 'never', detail: 'the audit does not have its key, for more than a day' },
    ],
  });
});

it('writes who it was beside its check, by the assertion and not by the act', async () => {
  const facts = aRun();
  await plant(stack.admin, [facts]);
  const now = Math.floor(Date.now() / 1000);
  const insert = `INSERT INTO decide.acts (run_id, update_id, verb, actor, roles, issuer, token_id, assertion, action_digest, allowed, person)
    VALUES ($1, $2, 'approve', $3, '{approver:finance}', $4, $5, $6, $7, true,
      decide.person_of('acme', jsonb_build_object('issuer', 'made up', 'subject', $2::text, 'folded', 'x')))`;
  const by = (update: string, iss: string) =>
    signedBy({ aud: `rok/acme/${facts.run}`, iat: now, exp: now + 60, jti: update, update, iss }, key);
  for (const [update, iss] of [
    ['one', 'https://issuer'],
    ['two', 'https://other'],
  ] as const)
    await stack.admin.query(insert, [facts.run, update, 'bob', iss, update, await by(update, iss), ACTION]);
  await stack.admin.query(insert, [facts.run, 'three', 'local: BOB', 'local', null, null, ACTION]);
  await stack.admin.query(insert, [facts.run, 'four', 'local:ann', 'local', null, null, ACTION]);
  await checkApprovals(audit, keys);
  const rows = await stack.admin.query(
    `SELECT k.update_id, p.issuer, p.subject, audit.same_person(k.person, o.person) AS as_one
    FROM audit.approval_checks k JOIN audit.persons p USING (person)
    JOIN audit.approval_checks o ON o.run_id = k.run_id AND o.update_id = 'one' WHERE k.run_id = $1 ORDER BY k.checked_at, k.update_id`,
    [facts.run],
  );
  expect(new Set(rows)).toEqual(
    new Set([
      { update_id: 'one', issuer: 'staff', subject: 'bob', as_one: true },
      { update_id: 'two', issuer: 'staff', subject: 'bob', as_one: true },
      { update_id: 'three', issuer: 'local', subject: 'bob', as_one: true },
      { update_id: 'four', issuer: 'local', subject: 'ann', as_one: false },
    ]),
  );
});

it('a look at all runs has a bound, and the next goes on', async () => {
  const facts = aRun();
  await plant(stack.admin, [facts]);
  await stack.admin.query(
    `INSERT INTO decide.acts (run_id, update_id, verb, actor, roles, issuer, allowed, person)
     SELECT $1, 'many-' || n, 'pause', 'local:ann', '{operator}', 'local', true, ${SOMEBODY} FROM generate_series(1, 2100) n`,
    [facts.run],
  );
  expect((await checkApprovals(audit, keys)).checked).toBe(2000);
  expect((await checkApprovals(audit, keys)).checked).toBe(100);
});
