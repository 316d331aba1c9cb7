/** Assertions with real keys, and who may do what. */
import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  createLocalJWKSet,
  exportJWK,
  generateKeyPair,
  SignJWT,
  UnsecuredJWT,
  type CryptoKey,
  type JWTPayload,
} from 'jose';
import { createClaimVerifier, refusal, type ClaimPurpose, type ClaimVerifier } from '../../src/decide/actors/access.js';
import { parseIssuers } from '../../src/domain/person.js';
import type { Actor, ActorClaim } from '../../src/domain/actor.js';
import { ACTOR_ACTS, grants, type RequesterStanding } from '../../src/decide/actors/grants.js';
import { ADMIN_VERBS } from '../../src/domain/protocol/administer.js';
import { ACTOR_VERBS } from '../../src/domain/protocol/decide.js';

const nowMs = Date.parse('2026-11-23T12:00:00Z');
const now = nowMs / 1000;
const purpose: ClaimPurpose = {
  workflowId: 'rok/acme/case-7',
  verb: 'approve',
  updateId: 'u1',
  actionDigest: 'a'.repeat(64),
  nowMs,
  requireAssertion: true,
};
const claims = {
  sub: 'bob',
  iss: 'https://issuer.test',
  aud: purpose.workflowId,
  jti: 'j1',
  iat: now - 10,
  exp: now + 60,
  verb: 'approve',
  update: 'u1',
  action: 'a'.repeat(64),
  roles: ['approver:finance', 7],
} as const;

let key: CryptoKey;
let stranger: CryptoKey;
let secret: Uint8Array;
let verify: ClaimVerifier;
beforeAll(async () => {
  const pair = await generateKeyPair('EdDSA', { extractable: true });
  key = pair.privateKey;
  stranger = (await generateKeyPair('EdDSA')).privateKey;
  const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'k1', alg: 'EdDSA' };
  secret = new TextEncoder().encode(JSON.stringify(jwk));
  verify = createClaimVerifier(createLocalJWKSet({ keys: [jwk] }));
});

const sign = (payload: JWTPayload, by = key, header: object = {}): Promise<string> =>
  new SignJWT(payload).setProtectedHeader({ alg: 'EdDSA', kid: 'k1', ...header }).sign(by);

async function ruleOf(assertion: string, changes: Partial<ClaimPurpose> = {}): Promise<string> {
  const verified = await verify({ assertion }, { ...purpose, ...changes });
  return verified.ok ? 'ok' : `${verified.reason.code} ${verified.reason.rule}`;
}

describe('an assertion', () => {
  it('that is for this run, verb, update and action gives its actor', async () => {
    expect(await verify({ assertion: await sign(claims) }, purpose)).toEqual({
      ok: true,
      actor: {
        name: 'bob',
        roles: ['approver:finance'],
        issuer: 'https://issuer.test',
        tokenId: 'j1',
        person: { issuer: '*', subject: 'bob', folded: 'bob' },
      },
    });
  });

  it.each([
    ['another audience', { aud: 'rok/acme/case-8' }, 'access.assertion'],
    ['no audience', { aud: undefined }, 'access.assertion'],
    ['another verb', { verb: 'reject' }, 'access.verb'],
    ['another update', { update: 'u2' }, 'access.update'],
    ['no update', { update: undefined }, 'access.update'],
    ['another action', { action: 'b'.repeat(64) }, 'access.action'],
    ['no action', { action: undefined }, 'access.action'],
    ['an end in the past', { exp: now - 31 }, 'access.assertion'],
    ['a beginning in the future', { nbf: now + 31 }, 'access.assertion'],
    ['being issued in the future', { iat: now + 31 }, 'access.assertion'],
    ['a life of more than five minutes', { iat: now, exp: now + 301 }, 'access.lifetime'],
    ['an age of more than five minutes', { iat: now - 331, exp: now - 31 + 1 }, 'access.assertion'],
    ['no end', { exp: undefined }, 'access.assertion'],
    ['no issue time', { iat: undefined }, 'access.assertion'],
    ['no subject', { sub: undefined }, 'access.assertion'],
    ['no issuer', { iss: undefined }, 'access.assertion'],
    ['no id to be used once', { jti: undefined }, 'access.assertion'],
  ])('with %s is refused', async (_name, changes, rule) => {
    const payload = Object.fromEntries(
      Object.entries({ ...claims, ...changes }).filter(([, value]) => value !== undefined),
    );
    expect(await ruleOf(await sign(payload as JWTPayload))).toBe(`actor_refused ${rule}`);
  });

  it('keeps half a minute of leeway, and no more', async () => {
    expect(await ruleOf(await sign({ ...claims, exp: now - 29 }))).toBe('ok');
    expect(await ruleOf(await sign({ ...claims, exp: now + 60, iat: now + 29 }))).toBe('ok');
  });

  it('signed by an unknown key, by nobody, by a shared secret, or changed, is refused', async () => {
    const good = await sign(claims);
    const [header = '', , signature = ''] = good.split('.');
    const forged = Buffer.from(JSON.stringify({ ...claims, sub: 'mallory' })).toString('base64url');
    const assertions = [
      await sign(claims, stranger),
      await sign(claims, stranger, { kid: 'k2' }),
      new UnsecuredJWT(claims).encode(),
      `${Buffer.from('{"alg":"none"}').toString('base64url')}.${forged}.`,
      // The public key taken for a shared secret.
      await new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid: 'k1' }).sign(secret),
      `${header}.${forged}.${signature}`,
      '',
      'a.b.c',
      'x'.repeat(9000),
    ];
    for (const assertion of assertions) expect(await ruleOf(assertion)).toBe('actor_refused access.assertion');
  });

  it('of another issuer than the configured one is refused; where none is configured its key is enough', async () => {
    const pair = await generateKeyPair('EdDSA', { extractable: true });
    const keys = createLocalJWKSet({ keys: [{ ...(await exportJWK(pair.publicKey)), kid: 'k1', alg: 'EdDSA' }] });
    const ruled = async (configured: string | undefined, iss: string): Promise<string> => {
      const signed = { assertion: await sign({ ...claims, iss }, pair.privateKey) };
      const verified = await createClaimVerifier(keys, configured === undefined ? null : parseIssuers(configured))(
        signed,
        purpose,
      );
      return verified.ok ? verified.actor.issuer : `${verified.name} ${verified.reason.rule}`;
    };
    expect(await ruled('https://issuer.test', 'https://issuer.test')).toBe('https://issuer.test');
    expect(await ruled('https://issuer.test', 'https://other.test')).toBe('bob access.issuer');
    expect(await ruled('https://issuer.test', 'https://issuer.test/')).toBe('bob access.issuer');
    expect(await ruled(undefined, 'https://other.test')).toBe('https://other.test');
  });

  it('is refused where there is no key set', async () => {
    const verified = await createClaimVerifier(null)({ assertion: await sign(claims) }, purpose);
    expect(verified).toMatchObject({ ok: false, reason: { rule: 'access.assertion' } });
  });
});

describe('an actor without assertion', () => {
  it('is a labelled local actor, where the profile allows it', async () => {
    expect(await verify({ local: 'alice' }, { ...purpose, requireAssertion: false })).toEqual({
      ok: true,
      actor: {
        name: 'local:alice',
        roles: [],
        issuer: 'local',
        person: { issuer: 'local', subject: 'alice', folded: 'alice' },
      },
    });
    expect(await verify({ local: 'alice' }, purpose)).toMatchObject({ ok: false, name: 'local:alice' });
  });

  it.each([
    [null],
    [{}],
    [{ local: 5 }],
    [{ local: 'a\0' }],
    [{ local: 'x'.repeat(200) }],
    [{ local: 'a', roles: 'admin' }],
    ['alice'],
  ])('that is malformed is refused, and nothing breaks: %p', async (claim) => {
    const verified = await verify(claim as unknown as ActorClaim, { ...purpose, requireAssertion: false });
    expect(verified).toMatchObject({ ok: false, name: 'unknown', reason: { code: 'actor_refused' } });
  });
});

const actor = (name: string, ...roles: readonly string[]): Actor => ({
  name,
  roles,
  issuer: 'i',
  person: { issuer: 'i', subject: name, folded: name },
});
const standing = ({ name }: { readonly name: string }) => (name === 'alice' ? 'requester' : 'another');
const VERBS = [...ACTOR_VERBS, ...ADMIN_VERBS];

describe('who may what with a run of alice that finance is asked about', () => {
  const own = ['pause', 'resume', 'cancel'];
  const answers = ['approve', 'reject', 'raise_budget'];
  const steers = ['pause', 'resume', 'cancel', 'kill', 'finalize'];
  const halts = ['halt.set', 'halt.lift'];
  it.each([
    ['nobody in particular', actor('bob'), []],
    ['the requester', actor('alice'), own],
    ['the requester, though admin', actor('alice', 'admin'), [...steers, ...halts, 'policy.publish']],
    ['the requester, though approver', actor('alice', 'approver:finance'), own],
    ['an approver', actor('bob', 'approver:finance'), answers],
    ['an approver of something else', actor('bob', 'approver:legal', 'approver:', 'approver'), []],
    ['an operator', actor('bob', 'operator'), [...steers, ...halts]],
    ['a policy author', actor('bob', 'policy_author'), ['policy.publish']],
    ['an admin', actor('bob', 'admin'), [...steers, ...answers, ...halts, 'policy.publish']],
    ['an auditor', actor('bob', 'auditor'), []],
    ['roles that are none', actor('bob', 'Admin', 'requester', 'approver:*', 'Role::"admin"'), []],
  ])('%s', (_name, who, verbs) => {
    const may = VERBS.filter((verb) => refusal(who, { verb, requester: standing(who), authority: 'finance' }) === null);
    expect(new Set(may)).toEqual(new Set(verbs));
  });

  it('an operator answers what is for operators', () => {
    const asked = (requester: RequesterStanding) => ({ verb: 'approve', requester, authority: 'operator' }) as const;
    expect(refusal(actor('bob', 'operator'), asked('another'))).toBeNull();
    expect(refusal(actor('alice', 'operator'), asked('requester'))).toMatchObject({ rule: 'access.four_eyes' });
  });

  it('who is perhaps the requester has none of its rights, and does not answer for it either', () => {
    const may = (requester: RequesterStanding, ...roles: readonly string[]) =>
      VERBS.filter((verb) => refusal(actor('bob', ...roles), { verb, requester, authority: 'finance' }) === null);
    expect(may('perhaps')).toEqual([]);
    expect(may('perhaps', 'approver:finance')).toEqual([]);
    expect(new Set(may('another', 'approver:finance'))).toEqual(new Set(answers));
  });
});

describe('a refusal', () => {
  it.each([
    ['kill', undefined, 'grants/run.kill', 'needs role operator or role admin'],
    ['pause', undefined, 'grants/run.pause', 'needs to be the requester or role operator or role admin'],
    ['approve', 'finance', 'grants/approval.grant', 'needs role approver:finance or role admin'],
    ['approve', 'operator', 'grants/approval.grant', 'needs role approver:operator or role operator or role admin'],
    ['policy.publish', undefined, 'grants/policy.publish', 'needs role policy_author or role admin'],
    ['halt.lift', undefined, 'grants/halt.set', 'needs role operator or role admin'],
    ['raise_budget', 'finance', 'grants/budget.raise', 'needs role approver:finance or role admin'],
  ] as const)('of %s (%s) names actor, act and rule, and who may', (verb, authority, rule, why) => {
    const asked = { verb, requester: 'another' as const, ...(authority === undefined ? {} : { authority }) };
    expect(refusal(actor('bob'), asked)).toEqual({
      code: 'actor_refused',
      rule,
      text: `\`bob\` may not ${verb}: ${why} (${rule})`,
    });
  });
});

describe('the grants', () => {
  const ROLES = ['operator', 'approver:finance', 'policy_author', 'auditor', 'admin', 'requester'] as const;
  const TABLE: Readonly<Record<(typeof ACTOR_ACTS)[number], readonly (typeof ROLES)[number][]>> = {
    'run.pause': ['operator', 'admin', 'requester'],
    'run.resume': ['operator', 'admin', 'requester'],
    'run.cancel': ['operator', 'admin', 'requester'],
    'run.kill': ['operator', 'admin'],
    'run.finalize': ['operator', 'admin'],
    'approval.grant': ['approver:finance', 'admin'],
    'budget.raise': ['approver:finance', 'admin'],
    'policy.publish': ['policy_author', 'admin'],
    'halt.set': ['operator', 'admin'],
    'trace.read': ['operator', 'auditor', 'admin'],
  };
  it.each(ACTOR_ACTS.flatMap((act) => ROLES.map((role) => [act, role] as const)))('%s by %s', (act, role) => {
    const who = role === 'requester' ? { name: 'alice', roles: [] } : { name: 'bob', roles: [role] };
    expect(grants.lacks(who, { act, requester: standing(who), authority: 'finance' }) === null).toBe(
      TABLE[act].includes(role),
    );
  });

  it('give nothing to nobody, to a role named like an act, or where no run is meant', () => {
    for (const act of ACTOR_ACTS) {
      expect(grants.lacks({ name: '', roles: [] }, { act, requester: null })).not.toBeNull();
      expect(grants.lacks({ name: 'alice', roles: [act] }, { act, requester: null })).not.toBeNull();
    }
  });
});
