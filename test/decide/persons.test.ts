/** Who counts as one person, for a quorum and for four eyes, as login rok_decide does it. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createLocalJWKSet } from 'jose';
import { randomUUID } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createClaimVerifier } from '../../src/decide/actors/access.js';
import type { DecideDeps } from '../../src/decide/deps.js';
import { openHold } from '../../src/decide/lifecycle/holds.js';
import { access } from '../../src/decide/actors/act.js';
import type { ActorClaim } from '../../src/domain/actor.js';
import { iso, uuidOf, type Digest } from '../../src/domain/ids.js';
import { foldedName, parseIssuers } from '../../src/domain/person.js';
import type { ActAnswer } from '../../src/domain/protocol/decide.js';
import { temporaryFolder } from '../stack/servers.js';
import { createAssertions, type Assertions } from '../workflows/signing.js';
import { createRaiseRig, ruleOf, type Opened, type RaiseRig } from './raise-rig.js';

const ACTION = 'a'.repeat(64) as Digest;
const FINANCE = ['approver:finance'];

let rig: RaiseRig;
let folder: string;
let assertions: Assertions;
let deps: DecideDeps;
beforeAll(async () => {
  rig = await createRaiseRig();
  folder = await temporaryFolder('persons');
  assertions = await createAssertions(join(folder, 'keys.json'));
  const keys = JSON.parse(await readFile(assertions.keySet, 'utf8')) as Parameters<typeof createLocalJWKSet>[0];
  const issuers = parseIssuers('staff=https://issuer.test,https://second.test;https://partners.test');
  deps = { ...rig.deps, verifyClaim: createClaimVerifier(createLocalJWKSet(keys), issuers) };
});
afterAll(async () => {
  await rig.close();
  await rm(folder, { recursive: true, force: true });
});

/** A run that alice asked for, held for two of finance. */
async function held(start: ActorClaim | 'signed' = { local: 'alice' }): Promise<Opened> {
  const tenant = `t-${randomUUID()}`;
  const caller = { workflowId: `rok/${tenant}/${randomUUID()}`, temporalRunId: randomUUID() };
  const actor =
    start === 'signed' ? await assertions.claim({ workflow: caller.workflowId, verb: 'start', sub: 'alice' }) : start;
  const { opened } = await rig.open({ tenant, actor }, caller, deps);
  const until = iso(new Date(Date.now() + 60_000).toISOString());
  const terms = {
    reason: 'APPROVAL_REQUIRED',
    authority: 'finance',
    quorum: 2,
    until,
    onTimeout: 'terminate',
  } as const;
  await rig.as((sql) => openHold(sql, opened.run, { step: 1, attempt: 1, actionDigest: ACTION, terms, by: 'policy' }));
  return { run: opened.run, caller, tenant };
}

type By = string | { readonly subject: string; readonly issuer?: string };
const issuerOf = ({ issuer }: Exclude<By, string>) => (issuer === undefined ? {} : { issuer });
async function answer(
  { run, caller }: Opened,
  by: By,
  verb: 'approve' | 'reject' | 'pause' = 'approve',
  roles: readonly string[] = FINANCE,
): Promise<ActAnswer> {
  const updateId = randomUUID();
  const signed = { workflow: caller.workflowId, verb, roles, update: updateId, action: ACTION };
  const claim =
    typeof by === 'string'
      ? { local: by, roles }
      : await assertions.claim({ ...signed, ...issuerOf(by), sub: by.subject });
  return rig.as((sql) =>
    access(sql, deps, { history: caller }, { run, verb, updateId, claim, hold: 1, digest: ACTION }),
  );
}

describe('a local name', () => {
  it.each(['Bob', 'bob ', ' BOB', 'ｂｏｂ', 'bob\u00a0', '\u2003Bob\n'])(
    '%j is bob, and has one voice',
    async (other) => {
      const opened = await held();
      expect(await answer(opened, 'bob')).toMatchObject({ allowed: true, given: 1 });
      expect(ruleOf(await answer(opened, other))).toBe('access.one_voice');
      expect(ruleOf(await answer(opened, other, 'reject'))).toBe('access.one_voice');
      expect(await answer(opened, 'carol')).toMatchObject({ allowed: true, given: 2, resolution: 'approved' });
    },
  );

  it('of the requester is the requester, however it is written', async () => {
    const opened = await held();
    for (const name of ['alice', 'Alice', 'ALICE ', 'ａlice'])
      expect(ruleOf(await answer(opened, name))).toBe('access.four_eyes');
    expect(ruleOf(await answer(opened, 'ALICE ', 'pause', []))).toBe('allowed');
  });

  it.each([' ', '\t\n', '\u3000', 'ﷺ'.repeat(100)])('%j is none', async (name) => {
    expect(ruleOf(await answer(await held(), name))).toBe('access.subject');
  });

  it('folds to what it folds to, again', () => {
    for (const name of ['Bob', 'straße', 'İ', 'ﬁ', 'Ǆ', 'ς', ' x '])
      expect(foldedName(foldedName(name))).toBe(foldedName(name));
    expect(foldedName('Straße')).toBe(foldedName('STRASSE'));
  });
});

describe('who signed', () => {
  it('is no other person than the local one of the same name: not for a quorum, not for four eyes', async () => {
    const opened = await held();
    expect(await answer(opened, 'bob')).toMatchObject({ allowed: true, given: 1 });
    expect(ruleOf(await answer(opened, { subject: 'bob' }))).toBe('access.one_voice');
    expect(ruleOf(await answer(opened, { subject: 'Bob' }))).toBe('access.one_voice');
    expect(ruleOf(await answer(opened, { subject: 'alice' }))).toBe('access.four_eyes');
    expect(await answer(opened, { subject: 'carol' })).toMatchObject({ allowed: true, given: 2 });
  });

  it('makes answers without a signature worthless from there on, were it the start', async () => {
    const opened = await held();
    expect(await answer(opened, { subject: 'carol' })).toMatchObject({ allowed: true, given: 1 });
    expect(ruleOf(await answer(opened, 'bob'))).toBe('access.local');
    expect(ruleOf(await answer(opened, 'bob', 'reject'))).toBe('access.local');
    const asked = await held('signed');
    expect(ruleOf(await answer(asked, 'bob'))).toBe('access.local');
    // The name alone gives no right of the requester's.
    expect(ruleOf(await answer(asked, 'alice', 'pause', []))).toBe('grants/run.pause');
  });

  it('is one person with every issuer of a group, and another with each other issuer and each other subject', async () => {
    const opened = await held('signed');
    expect(ruleOf(await answer(opened, { subject: 'alice', issuer: 'https://second.test' }))).toBe('access.four_eyes');
    expect(await answer(opened, { subject: 'bob' })).toMatchObject({ allowed: true, given: 1 });
    expect(ruleOf(await answer(opened, { subject: 'bob', issuer: 'https://second.test' }))).toBe('access.one_voice');
    expect(ruleOf(await answer(opened, { subject: 'bob', issuer: 'https://stranger.test' }))).toBe('access.issuer');
    expect(ruleOf(await answer(opened, { subject: 'bob', issuer: 'local' }))).toBe('access.issuer');
    expect(await answer(opened, { subject: 'Bob' })).toMatchObject({ allowed: true, given: 2, resolution: 'approved' });
    const other = await held('signed');
    expect(await answer(other, { subject: 'alice', issuer: 'https://partners.test' })).toMatchObject({ given: 1 });
  });
});

describe('the register of persons', () => {
  it('gives one id to one person of a tenant, whoever asks first, and its name is erased when its runs are over', async () => {
    const opened = await held();
    await answer(opened, 'bob');
    await answer(opened, 'Bob');
    const rows = await rig.stack.admin.query<{ person: string; allowed: boolean }>(
      `SELECT person, allowed FROM decide.acts WHERE run_id = $1 AND verb = 'approve' ORDER BY at`,
      [uuidOf(opened.run)],
    );
    expect(rows.map(({ allowed }) => allowed)).toEqual([true, false]);
    expect(rows[0]?.person).toBe(rows[1]?.person);
    const names = `UPDATE decide.persons SET subject = NULL, folded = NULL, display_name = NULL WHERE person = $1`;
    await expect(rig.stack.admin.query(names, [rows[0]?.person])).rejects.toMatchObject({ code: '55000' });
    await rig.stack.admin.query(`UPDATE decide.runs SET phase = 'FINALIZING', outcome = 'killed' WHERE run_id = $1`, [
      uuidOf(opened.run),
    ]);
    await rig.stack.admin.query(`UPDATE decide.runs SET phase = 'FAILED' WHERE run_id = $1`, [uuidOf(opened.run)]);
    await rig.stack.admin.query(names, [rows[0]?.person]);
    const rename = `UPDATE decide.persons SET subject = 'eve', folded = 'eve' WHERE person = $1`;
    await expect(rig.stack.admin.query(rename, [rows[0]?.person])).rejects.toMatchObject({ code: '55000' });
  });

  it('the database keeps one voice where a program forgets to', async () => {
    const opened = await held();
    await answer(opened, 'bob');
    const again = `INSERT INTO decide.acts (run_id, update_id, verb, actor, roles, issuer, hold, allowed, person)
      SELECT run_id, $2, verb, 'local:Bob', roles, issuer, hold, allowed, person FROM decide.acts WHERE run_id = $1 AND verb = 'approve'`;
    await expect(rig.decide.query(again, [uuidOf(opened.run), randomUUID()])).rejects.toMatchObject({ code: '23505' });
    const nobody = `INSERT INTO decide.acts (run_id, update_id, verb, actor, roles, issuer, hold, allowed)
      VALUES ($1, $2, 'approve', 'local:x', '{}', 'local', 1, true)`;
    await expect(rig.decide.query(nobody, [uuidOf(opened.run), randomUUID()])).rejects.toMatchObject({ code: '23514' });
  });
});

describe('issuers, as configured', () => {
  it('are alone, or a group with a name; each is named once', () => {
    expect(parseIssuers('https://one; staff=https://two , https://three')).toEqual(
      new Map([
        ['https://one', 'https://one'],
        ['https://two', 'staff'],
        ['https://three', 'staff'],
      ]),
    );
    for (const wrong of [
      '',
      ';',
      'a,b',
      'local',
      'x=local',
      'local=x',
      'x=a;x=b',
      'x=a;a',
      'a;a',
      'x=a,a',
      'x=',
      'x=a;y=a',
      'x=a;x',
    ])
      expect([wrong, parseIssuers(wrong)]).toEqual([wrong, null]);
  });
});
