/** Approvals are verified again by the audit: what the deciders' login made up is found, what an issuer signed is not touched. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createLocalJWKSet, exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWTPayload } from 'jose';
import {
  checkApproval,
  checkApprovals,
  type AssertionKeys,
  type RecordedAct,
} from '../../src/audit/evidence/approval-checks.js';
import { judgeDue } from '../../src/audit/judge/judge.js';
import { parseIssuers } from '../../src/domain/person.js';
import { runIdOf } from '../../src/domain/ids.js';
import { fateDigest } from '../../src/domain/protocol/message.js';
import { raiseDigest } from '../../src/domain/protocol/raise.js';
import { createStack, type Stack } from '../stack/stack.js';
import { aRun } from './facts.js';
import { openAs, verdictsOf } from './judged.js';
import { plant } from './plant.js';
import type { OpenDatabase } from '../../src/platform/postgres/database.js';

const AT = Math.floor(Date.now() / 1000);
const ACTION = 'a'.repeat(64);
const BOB = { issuer: 'staff', subject: 'bob', folded: 'bob' };
const SOMEBODY = `decide.person_of('acme', '{"issuer": "x", "subject": "somebody", "folded": "somebody"}')`;

let key: CryptoKey;
let keys: AssertionKeys;
let stranger: CryptoKey;
let stack: Stack;
let audit: OpenDatabase;
beforeAll(async () => {
  const [issuer, other] = await Promise.all([
    generateKeyPair('EdDSA', { crv: 'Ed25519' }),
    generateKeyPair('EdDSA', { crv: 'Ed25519' }),
  ]);
  key = issuer.privateKey;
  stranger = other.privateKey;
  const set = { keys: [{ ...(await exportJWK(issuer.publicKey)), kid: 'issuer-1', alg: 'EdDSA' }] };
  keys = { keys: createLocalJWKSet(set), issuers: parseIssuers('staff=https://issuer,https://other') };
  stack = await createStack();
  audit = await openAs(stack, 'audit');
});
afterAll(async () => {
  await audit.close();
  await stack.drop();
});

const assertion = (claims: JWTPayload = {}, signing = key): Promise<string> =>
  new SignJWT({
    sub: 'bob',
    iss: 'https://issuer',
    jti: 'j-1',
    aud: 'rok/acme/r',
    iat: AT,
    exp: AT + 120,
    verb: 'approve',
    update: 'u-1',
    action: ACTION,
    roles: ['approver:finance', 'requester'],
    ...claims,
  })
    .setProtectedHeader({ alg: 'EdDSA', kid: 'issuer-1' })
    .sign(signing);
const act = async (over: Partial<RecordedAct> = {}, claims: JWTPayload = {}): Promise<RecordedAct> => ({
  runUuid: '',
  tenant: 'acme',
  updateId: 'u-1',
  verb: 'approve',
  actor: 'bob',
  roles: ['approver:finance'],
  issuer: 'https://issuer',
  tokenId: 'j-1',
  assertion: await assertion(claims),
  actionDigest: ACTION,
  was: null,
  at: new Date(AT * 1000).toISOString(),
  workflowId: 'rok/acme/r',
  profile: 'STRICT',
  overdue: false,
  ...over,
});

it('passes what says what the row says, as of the time it was stored, however long ago', async () => {
  expect(await checkApproval(await act(), keys)).toEqual({ ok: true, detail: 'verified', person: BOB });
  const yearAgo = AT - 31_536_000;
  expect(
    await checkApproval(
      await act({ at: new Date(yearAgo * 1000).toISOString() }, { iat: yearAgo, exp: yearAgo + 60 }),
      keys,
    ),
  ).toEqual({ ok: true, detail: 'verified', person: BOB });
  expect(
    await checkApproval(
      await act({ assertion: null, actor: 'local: Bob', issuer: 'local', profile: 'STANDARD' }),
      keys,
    ),
  ).toEqual({
    ok: true,
    detail: 'a local actor',
    person: { issuer: 'local', subject: 'bob', folded: 'bob' },
  });
});

it.each<[string, Partial<RecordedAct>, JWTPayload]>([
  ['no assertion, though the profile is STRICT', { assertion: null, issuer: 'local' }, {}],
  ['no assertion of issuer https://issuer', { assertion: null, profile: 'STANDARD' }, {}],
  ['it does not verify: ERR_JWS_INVALID', { assertion: 'nonsense' }, {}],
  ['it does not verify: ERR_JWT_CLAIM_VALIDATION_FAILED', { workflowId: 'rok/acme/other' }, {}],
  ['it does not verify: ERR_JWT_EXPIRED', { at: new Date((AT + 3_600) * 1000).toISOString() }, {}],
  ['it lives longer than 5 minutes', {}, { exp: AT + 3_600 }],
  ['it says otherwise about: actor', { actor: 'eve' }, {}],
  ['it says otherwise about: issuer, token id', { issuer: 'other', tokenId: 'j-2' }, {}],
  ['it says otherwise about: verb, update', { verb: 'reject', updateId: 'u-2' }, {}],
  ['it says otherwise about: action', { actionDigest: 'b'.repeat(64) }, {}],
  ['it says otherwise about: roles', { roles: ['admin'] }, {}],
])('finds: %s', async (detail, over, claims) => {
  expect(await checkApproval(await act(over, claims), keys)).toEqual({ ok: false, detail, person: null });
});

it('holds the assertion of a raise against the digest of just that raise', async () => {
  const raise = {
    scope: 'tenant',
    subject: 'acme',
    unit: 'calls',
    window: 'day',
    from: '1',
    to: '2',
    reason: 'r',
  } as const;
  const actionDigest = raiseDigest(raise);
  const said = { verb: 'raise_budget', action: actionDigest };
  expect(await checkApproval(await act({ verb: 'raise_budget', actionDigest }, said), keys)).toEqual({
    ok: true,
    detail: 'verified',
    person: BOB,
  });
  const other = raiseDigest({ ...raise, to: '3' });
  expect(await checkApproval(await act({ verb: 'raise_budget', actionDigest: other }, said), keys)).toEqual({
    ok: false,
    detail: 'it says otherwise about: action',
    person: null,
  });
});

it('finds a signature of somebody else', async () => {
  expect(await checkApproval(await act({ assertion: await assertion({}, stranger) }), keys)).toEqual({
    ok: false,
    detail: 'it does not verify: ERR_JWS_SIGNATURE_VERIFICATION_FAILED',
    person: null,
  });
});

it('a forged approval becomes a finding, also of a run that was judged already; acts that were refused do not count', async () => {
  const facts = aRun();
  await plant(stack.admin, [facts]);
  await judgeDue(audit);
  const insert = `INSERT INTO decide.acts (run_id, update_id, verb, actor, roles, issuer, token_id, assertion, action_digest, allowed, person)
    VALUES ($1, $2, 'approve', 'bob', '{approver:finance}', 'https://issuer', $3, $4, $5, $6, ${SOMEBODY})`;
  const workflow = {
    aud: `rok/acme/${facts.run}`,
    iat: Math.floor(Date.now() / 1000),
    exp: Math.floor(Date.now() / 1000) + 60,
  };
  await stack.admin.query(insert, [facts.run, 'u-1', 'j-1', await assertion(workflow), ACTION, true]);
  await stack.admin.query(insert, [facts.run, 'u-2', null, 'refused nonsense', ACTION, false]);
  expect(await checkApprovals(audit, keys)).toEqual({ checked: 1, uncheckable: 0 });
  await judgeDue(audit);
  expect(await verdictsOf(stack.admin, [facts.run])).toEqual([{ status: 'COMPLETE', findings: [] }]);

  await stack.admin.query(insert, [
    facts.run,
    'u-3',
    'j-3',
    await assertion({ ...workflow, jti: 'j-3', update: 'u-3' }, stranger),
    ACTION,
    true,
  ]);
  expect(await checkApprovals(audit, keys)).toEqual({ checked: 1, uncheckable: 0 });
  await judgeDue(audit);
  expect(await verdictsOf(stack.admin, [facts.run])).toEqual([
    {
      status: 'INCOMPLETE',
      findings: [
        {
          code: 'FORGED_APPROVAL',
          blocking: true,
          subject: 'u-3',
          detail: 'it does not verify: ERR_JWS_SIGNATURE_VERIFICATION_FAILED',
        },
      ],
    },
  ]);
});

it('without a key set it cannot check, which is no forgery: said, left for later, and checked when there is one', async () => {
  const facts = aRun();
  await plant(stack.admin, [facts]);
  const insert = `INSERT INTO decide.acts (run_id, update_id, verb, actor, roles, issuer, token_id, assertion, action_digest, allowed, person)
    VALUES ($1, $2, 'approve', $3, '{approver:finance}', $4, $5, $6, $7, true, ${SOMEBODY})`;
  const workflow = { aud: `rok/acme/${facts.run}`, iat: Math.floor(Date.now() / 1000), exp: AT + 200, jti: 'j-9' };
  const forgery = await assertion({ ...workflow, update: 'u-1' }, stranger);
  await stack.admin.query(insert, [facts.run, 'u-1', 'bob', 'https://issuer', 'j-9', forgery, ACTION]);
  await stack.admin.query(insert, [facts.run, 'u-2', 'local:ann', 'local', null, null, ACTION]);
  expect(await checkApproval(await act(), null)).toBeNull();
  // The local actor is checked without a key, of the other nothing is said.
  expect(await checkApprovals(audit, null)).toEqual({ checked: 1, uncheckable: 1 });
  expect(await checkApprovals(audit, null, runIdOf(facts.run))).toEqual({ checked: 0, uncheckable: 0 });
  await judgeDue(audit);
  expect(await verdictsOf(stack.admin, [facts.run])).toEqual([{ status: 'COMPLETE', findings: [] }]);

  expect(await checkApprovals(audit, keys)).toEqual({ checked: 1, uncheckable: 0 });
  await judgeDue(audit);
  expect((await verdictsOf(stack.admin, [facts.run]))[0]).toMatchObject({
    status: 'INCOMPLETE',
    findings: [{ code: 'FORGED_APPROVAL', subject: 'u-1' }],
  });
});

it('looks up what is unchecked by index, however many acts there ever were', async () => {
  const run = aRun();
  await plant(stack.admin, [run]);
  await stack.admin.transaction(async (sql) => {
    await sql.query('SET LOCAL session_replication_role = replica');
    await sql.query(
      `INSERT INTO decide.acts (run_id, update_id, verb, actor, roles, issuer, allowed, person, at)
       SELECT $1::uuid, 'old-' || n, 'start', 'local:ann', '{}', 'local', true, gen_random_uuid(), clock_timestamp() - interval '1 year'
       FROM generate_series(1, 20000) n`,
      [run.run],
    );
  });
  await stack.admin.query('ANALYZE decide.acts');
  const plan = await stack.admin.query<{ 'QUERY PLAN': string }>(
    `EXPLAIN SELECT FROM decide.v_acts a WHERE a.allowed AND a.at >= clock_timestamp() - interval '10 minutes' ORDER BY a.at LIMIT 200`,
  );
  expect(plan.map((line) => line['QUERY PLAN']).join('\n')).toContain('acts_allowed');
});

it('what became of a call is part of what is signed: neither the row nor the message can say otherwise', async () => {
  const said = { verb: 'resume', was: 'done', actionDigest: fateDigest('done') } as const;
  const signed = { verb: 'resume', action: fateDigest('done') };
  const check = async (row: Partial<RecordedAct>, claims: JWTPayload) => checkApproval(await act(row, claims), keys);
  expect(await check(said, signed)).toMatchObject({ ok: true });
  expect(await check({ verb: 'resume', actionDigest: null }, { verb: 'resume', action: undefined })).toMatchObject({
    ok: true,
  });
  const lies = (about: string) => ({ ok: false, detail: `it says otherwise about: ${about}`, person: null });
  expect(await check({ ...said, was: 'not_done' }, signed)).toEqual(lies('was'));
  expect(await check({ ...said, was: 'not_done', actionDigest: fateDigest('not_done') }, signed)).toEqual(
    lies('action, was'),
  );
  // Nor can it be left out, or said of a signature that said nothing.
  expect(await check({ ...said, was: null, actionDigest: null }, signed)).toEqual(lies('was'));
  expect(await check({ ...said, actionDigest: null }, { ...signed, action: undefined })).toEqual(lies('was'));
});

it('what cannot be checked or written down stands in front of nobody, and is tried again', async () => {
  const facts = aRun();
  await plant(stack.admin, [facts]);
  const insert = `INSERT INTO decide.acts (run_id, update_id, verb, actor, roles, issuer, token_id, assertion, action_digest, allowed, person)
    VALUES ($1, $2, 'approve', $3, '{approver:finance}', $4, $5, $6, $7, true, ${SOMEBODY})`;
  await stack.admin.query(insert, [
    facts.run,
    'a',
    'bob',
    'https://issuer',
    'j-a',
    await assertion({}, stranger),
    ACTION,
  ]);
  await stack.admin.query(insert, [facts.run, 'b', 'local:ann', 'local', null, null, ACTION]);
  await stack.admin.query(insert, [facts.run, 'c', 'local:zoe', 'local', null, null, ACTION]);
  const gone: AssertionKeys = { keys: () => Promise.reject(new Error('the issuer does not answer')), issuers: null };
  await stack.admin.query(
    `ALTER TABLE audit.approval_checks ADD CONSTRAINT planted CHECK (NOT (run_id = '${facts.run}' AND update_id = 'b'))`,
  );
  const left = () =>
    stack.admin.query('SELECT update_id, why FROM audit.unchecked_approvals WHERE run_id = $1 ORDER BY 1', [facts.run]);
  const checked = async () =>
    (
      await stack.admin.query<{ update_id: string }>(
        'SELECT update_id FROM audit.approval_checks WHERE run_id = $1 ORDER BY 1',
        [facts.run],
      )
    ).map((one) => one.update_id);
  try {
    expect((await checkApprovals(audit, gone)).checked).toBe(1);
    expect(await checked()).toEqual(['c']);
    expect(await left()).toEqual([
      { update_id: 'a', why: 'it could not be checked: the issuer does not answer' },
      { update_id: 'b', why: expect.stringMatching(/^it could not be checked: .*planted/) },
    ]);
  } finally {
    await stack.admin.query('ALTER TABLE audit.approval_checks DROP CONSTRAINT planted');
  }
  await stack.admin.query(`UPDATE audit.unchecked_approvals SET again_at = '-infinity' WHERE run_id = $1`, [facts.run]);
  await checkApprovals(audit, keys);
  expect(await checked()).toEqual(['a', 'b', 'c']);
  expect(await left()).toEqual([]);
});
