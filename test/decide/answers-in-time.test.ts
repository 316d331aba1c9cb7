/** An answer is in time by the clock that stamps it: tried at the edge, in the deciders' own transactions. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { openHold } from '../../src/decide/lifecycle/holds.js';
import { look } from '../../src/decide/actors/acts-beside-run.js';
import { access } from '../../src/decide/actors/act.js';
import { iso, uuidOf, type Digest } from '../../src/domain/ids.js';
import type { ActAnswer } from '../../src/domain/protocol/decide.js';
import { proofSize } from '../proof-size.js';
import { BOB, createRaiseRig, of, ruleOf, type Opened, type RaiseRig } from './raise-rig.js';
import { modelCall } from './step-rig.js';

const ACTION = 'a'.repeat(64) as Digest;
const TRIES = 60;

let rig: RaiseRig;
beforeAll(async () => {
  rig = await createRaiseRig();
});
afterAll(() => rig.close());

async function heldFor(ms: number): Promise<Opened> {
  const opened = await rig.runOf();
  const [row] = await rig.decide.query<{ until: string }>(
    `SELECT clock_timestamp() + $1 * interval '1 millisecond' AS until`,
    [ms],
  );
  const terms = {
    reason: 'APPROVAL_REQUIRED',
    authority: 'finance',
    quorum: 1,
    until: iso(row?.until ?? ''),
    onTimeout: 'terminate',
  } as const;
  await rig.as((sql) => openHold(sql, opened.run, { step: 1, attempt: 1, actionDigest: ACTION, terms, by: 'policy' }));
  return opened;
}

/** Bob's, verified, and then held up for as long as `verified` takes. */
const answer = (
  { run, caller }: Opened,
  verb: 'approve' | 'reject' | 'resume',
  verified: () => Promise<unknown>,
): Promise<ActAnswer> => {
  const claim = { local: 'bob', roles: ['approver:finance', 'operator'] };
  const slow: typeof rig.deps = {
    ...rig.deps,
    verifyClaim: async (...asked) => {
      const given = await rig.deps.verifyClaim(...asked);
      await verified();
      return given;
    },
  };
  return rig.as((sql) =>
    access(sql, slow, { history: caller }, { run, verb, updateId: randomUUID(), claim, hold: 1, digest: ACTION }),
  );
};

const overBy = async ({ run }: Opened, leadMs = 0): Promise<void> => {
  for (;;) {
    const [row] = await rig.stack.admin.query<{ over: boolean }>(
      `SELECT until - $2 * interval '1 millisecond' <= clock_timestamp() AS over FROM decide.holds WHERE run_id = $1 AND hold = 1`,
      [uuidOf(run), leadMs],
    );
    if (row?.over === true) return;
  }
};

it.each(['approve', 'reject'] as const)('%s, asked for in time and written too late, does not count', async (verb) => {
  const opened = await heldFor(200);
  expect(ruleOf(await answer(opened, verb, () => overBy(opened)))).toBe('access.late');
  expect(await rig.holdsOf(opened)).toEqual([{ hold: 1, reason: 'APPROVAL_REQUIRED', resolution: null }]);
  const [act] = await rig.stack.admin.query(
    `SELECT allowed, token_id, reason FROM decide.acts WHERE run_id = $1 AND verb = $2`,
    [uuidOf(opened.run), verb],
  );
  expect(act).toEqual({
    allowed: false,
    token_id: null,
    reason: `\`local:bob\` may not ${verb}: the time of hold 1 is over (access.late)`,
  });
});

it('at the edge each answer counts that is stamped before the end, and no other', async () => {
  const tries = proofSize({ quick: TRIES, full: 1000 });
  const rules: string[] = [];
  // Nearer to the end after each that was in time, further from it after each that was not, however busy the machine is.
  let lead = 20;
  for (let n = 0; n < tries; n += 1) {
    const opened = await heldFor(2 * lead + 20);
    const rule = ruleOf(await answer(opened, 'approve', () => overBy(opened, lead)));
    lead = rule === 'allowed' ? lead * 0.7 : Math.min(lead * 2, 1_000);
    rules.push(rule);
  }
  const wrong = await rig.stack.admin.query(
    `SELECT a.allowed, a.at, h.until, h.resolution FROM decide.acts a JOIN decide.holds h USING (run_id, hold)
    WHERE a.verb = 'approve' AND (a.allowed <> (a.at < h.until) OR a.allowed <> (h.resolution IS NOT DISTINCT FROM 'approved'))`,
  );
  expect(wrong).toEqual([]);
  // Both sides of the edge were tried.
  expect(new Set(rules)).toEqual(new Set(['allowed', 'access.late']));
});

it('a program cannot stamp an answer, nor count one that came too late', async () => {
  const opened = await heldFor(1);
  await overBy(opened);
  const forge = (column: string, stamp: string) =>
    rig.decide.query(
      `INSERT INTO decide.acts (run_id, update_id, verb, actor, roles, issuer, hold, allowed, person${column})
      SELECT run_id, 'forged', 'approve', 'local:bob', '{}', 'local', 1, true, person${stamp}
      FROM decide.acts WHERE run_id = $1 RETURNING allowed, at > clock_timestamp() - interval '1 minute' AS stamped`,
      [uuidOf(opened.run)],
    );
  await expect(forge(', at', `, at - interval '1 hour'`)).rejects.toThrow('permission denied for table acts');
  const [act] = await forge('', '');
  expect(act).toEqual({ allowed: false, stamped: true });
});

it('a raise that comes too late raises the cap and resolves nothing', async () => {
  const opened = await rig.heldRun();
  await rig.stack.admin.query(`UPDATE decide.holds SET until = clock_timestamp() WHERE run_id = $1`, [
    uuidOf(opened.run),
  ]);
  const answer = await rig.raise(opened, of(opened));
  expect(answer).toMatchObject({ allowed: true });
  expect(answer).not.toHaveProperty('resolution');
  expect(await rig.capOf(opened.tenant)).toBe(1000n);
  expect(await rig.holdsOf(opened)).toMatchObject([{ resolution: null }]);
});

it('a raise beside the run ends the holds that it was in time for, and the run is told of no other', async () => {
  const opened = await rig.heldRun();
  expect(await rig.step(opened.caller, await modelCall(rig, opened.run, 2, { tokens: 200, output: 10 }))).toMatchObject(
    { hold: 2 },
  );
  await rig.stack.admin.query(`UPDATE decide.holds SET until = clock_timestamp() WHERE run_id = $1 AND hold = 1`, [
    uuidOf(opened.run),
  ]);
  const asked = { run: opened.run, verb: 'raise_budget', updateId: 'beside', claim: BOB, raise: of(opened) } as const;
  const raised = () => rig.as((sql) => access(sql, rig.deps, { carrier: 'rok-admin/beside' }, asked));
  const ended = { holds: [2], resolution: 'raised' };
  expect(await raised()).toMatchObject({ allowed: true, ...ended });
  expect(await raised()).toMatchObject({ allowed: true, ...ended });
  const told = await rig.as((sql) => look(sql, opened.caller, { run: opened.run, seen: 0 }));
  expect(told.acts).toMatchObject([{ verb: 'raise_budget', updateId: 'beside', ...ended }]);
  expect(await rig.holdsOf(opened)).toMatchObject([{ resolution: null }, { resolution: 'raised' }]);
});
