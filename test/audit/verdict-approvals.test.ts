/** Who said that it may be, each planted wrong: holds, starts, profiles, and what an approval was used for. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { enterDeployment } from '../../src/audit/judge/deployment.js';
import { judgeDue } from '../../src/audit/judge/judge.js';
import type { OpenDatabase } from '../../src/platform/postgres/database.js';
import { createStack, type Stack } from '../stack/stack.js';
import { aRun, type RunFacts } from './facts.js';
import { aHold, anAct, REQUESTER, triesAfter, type ActFact, type HoldFact } from './hold-facts.js';
import { judgePlanted, openAs, verdictsOf } from './judged.js';
import { plant } from './plant.js';

let stack: Stack;
let audit: OpenDatabase;
beforeAll(async () => {
  stack = await createStack();
  audit = await openAs(stack, 'audit');
});
afterAll(async () => {
  await audit.close();
  await stack.drop();
});

const COMPLETE = { status: 'COMPLETE', findings: [] };
const found = (code: string, subject: string, detail: string) => ({
  status: 'INCOMPLETE',
  findings: [{ code, blocking: true, subject, detail }],
});
const judge = (facts: RunFacts) => judgePlanted(stack.admin, audit, facts);
const held = (over: Partial<HoldFact> = {}, run: Partial<RunFacts> = {}) => {
  const holds = [aHold(over)];
  const { tries } = aRun();
  return judge(aRun({ ...run, holds, tries: [...tries, ...triesAfter(holds)] }));
};
const two = { quorum: 2 };

describe('FORGED_APPROVAL: a hold that was approved', () => {
  it('by enough who may, in time, is no finding', async () => {
    expect(await held()).toEqual(COMPLETE);
    expect(await held({ ...two, acts: [anAct(), anAct({ person: 3, roles: ['admin'] })] })).toEqual(COMPLETE);
    expect(await held({ authority: 'operator', acts: [anAct({ roles: ['operator'] })] })).toEqual(COMPLETE);
  });
  it.each<[string, readonly ActFact[], string, Partial<HoldFact>?, Partial<RunFacts>?]>([
    ['by nobody', [], 'approved by 0 of 1'],
    ['by one where two were asked for', [anAct()], 'approved by 1 of 2', two],
    ['by who asked for the run', [anAct({ person: REQUESTER })], 'approved by 0 of 1'],
    ['by another authority', [anAct({ roles: ['approver:legal', 'operator'] })], 'approved by 0 of 1'],
    ['before it was opened', [anAct({ atMs: -9_001 })], 'approved by 0 of 1'],
    ['after it had ended', [anAct({ atMs: -4_999 })], 'approved by 0 of 1'],
    ['after its deadline', [anAct({ atMs: -6_500 })], 'approved by 0 of 1', { untilMs: -6_500 }],
    ['for another action', [anAct({ sameAction: false })], 'approved by 0 of 1'],
    ['by who rejected it', [anAct({ verb: 'reject' })], 'approved by 0 of 1'],
    ['without an assertion in STRICT', [anAct({ signed: false })], 'approved by 0 of 1', {}, { profile: 'STRICT' }],
    [
      'by two who are one to the audit',
      [anAct({ check: { ok: true, person: 2 } }), anAct({ person: 3, check: { ok: true, person: 2 } })],
      'approved by 1 of 2',
      two,
    ],
    [
      'by who is the requester to the audit',
      [anAct({ check: { ok: true, person: REQUESTER } })],
      'approved by 0 of 1',
      {},
      {
        start: { act: { name: 'local:ann', person: REQUESTER, signed: true, check: { ok: true, person: REQUESTER } } },
      },
    ],
  ])('%s', async (_how, acts, detail, over = {}, run = {}) => {
    expect(await held({ ...over, acts }, run)).toEqual(found('FORGED_APPROVAL', 'hold 1', detail));
  });
  it.each<HoldFact['resolution']>(['rejected', 'resumed', 'raised'])(
    'and so one that was %s by nobody',
    async (how) => {
      expect(await held({ resolution: how, acts: [], after: null, used: false })).toEqual(
        found('FORGED_APPROVAL', 'hold 1', `${how ?? ''} by 0 of 1`),
      );
    },
  );
  it('and one with easier terms than its decision asked for, or with no decision', async () => {
    const eased = found('FORGED_APPROVAL', 'hold 1', 'its terms are not those of its decision');
    expect(await held({ asked: { authority: 'finance', quorum: 2 } })).toEqual(eased);
    expect(await held({ asked: { authority: 'legal', quorum: 1 } })).toEqual(eased);
    expect(await held({ asked: null })).toEqual(eased);
  });
});

describe('a start that was allowed', () => {
  const asked = { name: 'local:ann', person: REQUESTER, signed: true, check: null };
  it.each([
    [null, 'STANDARD', 'nobody asked for it'],
    [{ ...asked, signed: false }, 'STRICT', 'no assertion of who asked for it'],
    [{ ...asked, person: 3 }, 'STANDARD', 'the run names another who asked for it'],
    [{ ...asked, name: 'local:eve' }, 'STANDARD', 'the run names another who asked for it'],
  ] as const)('FORGED_APPROVAL: %j in %s: %s', async (act, profile, detail) => {
    expect(await judge(aRun({ profile, start: { act } }))).toEqual(found('FORGED_APPROVAL', 'start', detail));
  });
  it('by who was verified is no finding; a local actor may where the profile says so', async () => {
    expect(await judge(aRun({ profile: 'STRICT', start: { act: asked } }))).toEqual(COMPLETE);
    expect(await judge(aRun({ start: { act: { ...asked, signed: false } } }))).toEqual(COMPLETE);
  });
});

describe('UNKNOWN_RESULT of a write', () => {
  const looked = (over: Partial<ActFact> = {}) =>
    held({
      ...{ resolution: 'resumed', asked: null, lost: true, after: null, used: false },
      acts: [anAct({ verb: 'resume', roles: ['operator'], was: 'done', ...over })],
    });
  const step = 'step 21 attempt 1';
  it('that somebody looked at is a note, with what was said', async () => {
    const note = (detail: string) => ({
      status: 'COMPLETE',
      findings: [{ code: 'UNKNOWN_RESULT', blocking: false, subject: step, detail }],
    });
    expect(await looked()).toEqual(note('lost, answered done'));
    expect(await looked({ was: 'not_done', check: { ok: true, person: 2 } })).toEqual(note('lost, answered not_done'));
  });
  it('blocks where nobody said which, or it was forged', async () => {
    expect(await looked({ was: null })).toEqual(found('UNKNOWN_RESULT', step, 'lost'));
    expect(await looked({ check: { ok: false, person: null } })).toMatchObject({
      status: 'INCOMPLETE',
      findings: [
        { code: 'FORGED_APPROVAL', subject: 'hold 1' },
        { code: 'FORGED_APPROVAL', subject: 'hold-1-0' },
        { code: 'UNKNOWN_RESULT', blocking: true, subject: step, detail: 'lost' },
      ],
    });
  });
});

describe('MISMATCH: a profile weaker than the tenant had', () => {
  it.each([
    ['strictly', 'STANDARD'],
    ['strictly', 'OBSERVE_ONLY'],
    ['normally', 'OBSERVE_ONLY'],
    // It has none of its own: the deployment's, as the audit itself is configured.
    ['acme', 'OBSERVE_ONLY'],
  ] as const)('%s: %s', async (tenant, profile) => {
    expect(await judge(aRun({ tenant, profile }))).toEqual(
      found('MISMATCH', 'profile', `declared ${profile}, and the tenant is stricter`),
    );
  });
  it('as strict or stricter is no finding', async () => {
    expect(await judge(aRun({ tenant: 'normally', profile: 'STRICT' }))).toEqual(COMPLETE);
    expect(await judge(aRun({ tenant: 'normally', profile: 'STANDARD' }))).toEqual(COMPLETE);
    expect(await judge(aRun({ tenant: 'freely', profile: 'OBSERVE_ONLY' }))).toEqual(COMPLETE);
  });
  it('is held against what was in force when the run was opened, which the audit copied by itself', async () => {
    await stack.admin.query(`INSERT INTO decide.tenants (tenant, profile) VALUES ('changing', 'STRICT')`);
    // It was declared an hour before.
    expect(await judge(aRun({ tenant: 'changing', profile: 'STANDARD' }))).toEqual(COMPLETE);
    await stack.admin.query(`UPDATE decide.tenants SET profile = 'STANDARD' WHERE tenant = 'changing'`);
    await stack.admin.query(`DELETE FROM decide.tenants WHERE tenant = 'changing'`);
    expect(
      await stack.admin.query(`SELECT profile FROM audit.tenant_profiles WHERE tenant = 'changing' ORDER BY since`),
    ).toEqual([{ profile: 'STRICT' }, { profile: 'STANDARD' }, { profile: null }]);
  });
});

it('what the deployment asks for is the audit’s own configuration, with its history', async () => {
  await enterDeployment(audit, 'STANDARD');
  await stack.admin.query(
    `INSERT INTO audit.deployment_profiles (profile, since) VALUES ('STRICT', '2127-01-01'), ('OBSERVE_ONLY', '2127-01-03')`,
  );
  const least = async (tenant: string, at: string): Promise<number> => {
    const [row] = await stack.admin.query<{ least: number }>('SELECT audit.least_strictness($1, $2) AS least', [
      tenant,
      at,
    ]);
    return row?.least ?? -1;
  };
  const asked = ['2126-12-31', '2127-01-01T00:00:30Z', '2127-01-02', '2127-01-03T00:00:30Z', '2127-01-04'];
  expect(await Promise.all(asked.map((at) => least('acme', at)))).toEqual([1, 1, 2, 0, 0]);
  expect(await Promise.all(asked.map((at) => least('normally', at)))).toEqual([1, 1, 1, 1, 1]);
  await enterDeployment(audit, 'OBSERVE_ONLY');
  expect(await stack.admin.query('SELECT count(*) FROM audit.deployment_profiles')).toEqual([{ count: 3n }]);
  await stack.admin.transaction(async (sql) => {
    await sql.query('SET LOCAL session_replication_role = replica');
    await sql.query(`DELETE FROM audit.deployment_profiles WHERE since >= '2127-01-01'`);
  });
  await expect(
    audit.query(`INSERT INTO audit.deployment_profiles (profile, since) VALUES ('OBSERVE_ONLY', '2026-01-01')`),
  ).rejects.toMatchObject({ code: '42501' });
});

describe('FORGED_APPROVAL: a raise of a cap', () => {
  const NOBODY_WAITS = { resolution: 'raised', after: null, used: false } as const;
  const good = anAct({ verb: 'raise_budget' });
  /** The hold was raised by who may; beside it another raised a cap that no hold waited for. */
  const raised = async (act: ActFact, run: Partial<RunFacts> = {}, digest = true) => {
    const facts = aRun({ ...run, holds: [aHold({ ...NOBODY_WAITS, acts: [good, act] })] });
    await plant(stack.admin, [facts]);
    await stack.admin.transaction(async (sql) => {
      await sql.query('SET LOCAL session_replication_role = replica');
      await sql.query(
        `INSERT INTO decide.raises (run_id, update_id, scope, subject, unit, time_window, from_cap, to_cap, action_digest, holds)
         SELECT a.run_id, a.update_id, 'tenant', 'acme', 'usd_micros', 'day', 1, 2,
           CASE WHEN $2 THEN a.action_digest ELSE 'other' END, '{}'
         FROM decide.acts a WHERE a.run_id = $1 AND a.update_id = 'hold-1-1'`,
        [facts.run, digest],
      );
    });
    await judgeDue(audit);
    return (await verdictsOf(stack.admin, [facts.run]))[0];
  };
  const other = (over: Partial<ActFact> = {}) => anAct({ verb: 'raise_budget', person: 3, ...over });

  it('by who may is no finding', async () => {
    expect(await raised(other())).toEqual(COMPLETE);
    expect(await raised(other({ roles: ['admin'] }))).toEqual(COMPLETE);
  });
  it.each<[string, ActFact, Partial<RunFacts>?, boolean?]>([
    ['by who asked for the run', other({ person: REQUESTER })],
    ['by who has no such role', other({ roles: ['approver:legal', 'operator'] })],
    ['by another act', other({ verb: 'approve' })],
    ['for another raise', other(), {}, false],
    ['without an assertion in STRICT', other({ signed: false }), { profile: 'STRICT' }],
    [
      'by who is the requester to the audit',
      other({ check: { ok: true, person: REQUESTER } }),
      {
        start: { act: { name: 'local:ann', person: REQUESTER, signed: true, check: { ok: true, person: REQUESTER } } },
      },
    ],
  ])('%s', async (_how, act, run = {}, digest = true) => {
    expect(await raised(act, run, digest)).toEqual(
      found('FORGED_APPROVAL', 'hold-1-1', 'a cap was raised by who may not raise it'),
    );
  });
});

describe('UNWARRANTED: an approval', () => {
  it('that an attempt of its step did not use', async () => {
    expect(await held({ used: false })).toEqual(
      found('UNWARRANTED', 'step 21 attempt 2', 'it did not use the approval of hold 1'),
    );
  });
  it('that was used for another step', async () => {
    expect(await held({ usedElsewhere: true })).toMatchObject({
      findings: [
        { subject: 'hold 1', detail: 'its approval let 2 attempts succeed' },
        { subject: 'step 1 attempt 1', detail: 'the approval of hold 1 was not given for it' },
      ],
    });
  });
  it('that let its step succeed twice; a retry after a failure is no finding', async () => {
    expect(await held({ again: true })).toEqual(found('UNWARRANTED', 'hold 1', 'its approval let 2 attempts succeed'));
    expect(await held({ again: true, after: 'failed' })).toEqual(COMPLETE);
  });
});
