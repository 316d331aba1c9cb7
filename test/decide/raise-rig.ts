/** Runs that wait for a budget, and acts that raise it, each a transaction as login rok_decide. */
import { expect } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { Caller } from '../../src/decide/actors/caller.js';
import type { DecideDeps } from '../../src/decide/deps.js';
import { access } from '../../src/decide/actors/act.js';
import type { ActorClaim } from '../../src/domain/actor.js';
import { uuidOf, type RunId } from '../../src/domain/ids.js';
import type { ActAnswer, StepAnswer } from '../../src/domain/protocol/decide.js';
import type { BudgetRaise } from '../../src/domain/protocol/raise.js';
import type { Row } from '../../src/domain/sql.js';
import { createStepRig, modelCall, type StepRig } from './step-rig.js';

export const BOB: ActorClaim = { local: 'bob', roles: ['approver:finance'] };
export type Opened = { readonly run: RunId; readonly caller: Caller; readonly tenant: string };
type By = { readonly claim?: ActorClaim; readonly updateId?: string; readonly deps?: DecideDeps };

export type RaiseRig = StepRig & {
  budget(scope: string, subject: string, cap: number, onBreach?: string, unit?: string): Promise<void>;
  runOf(tenant?: string, labels?: object): Promise<Opened>;
  /** A run of a tenant that has 150 micro-USD, where the first step needs 210 and waits. */
  heldRun(): Promise<Opened>;
  /** Step 1 again. */
  ask(opened: Opened, attempt: number): Promise<StepAnswer>;
  raise(opened: Opened, asked: BudgetRaise, by?: By): Promise<ActAnswer>;
  capOf(subject: string): Promise<bigint | undefined>;
  raisesOf(opened: Opened): Promise<readonly Row[]>;
  holdsOf(opened: Opened): Promise<readonly Row[]>;
};

export async function createRaiseRig(): Promise<RaiseRig> {
  const rig = await createStepRig({ limits: { usd: '0.010000' } });
  const self: RaiseRig = {
    ...rig,
    async budget(scope, subject, cap, onBreach = 'pause', unit = 'usd_micros') {
      await rig.decide.query(
        `INSERT INTO decide.budgets (scope, subject, unit, time_window, cap, on_breach) VALUES ($1, $2, $3, 'month', $4, $5)`,
        [scope, subject, unit, cap, onBreach],
      );
    },
    async runOf(tenant = `t-${randomUUID()}`, labels = {}) {
      const caller = { workflowId: `rok/${tenant}/${randomUUID()}`, temporalRunId: randomUUID() };
      const { opened } = await rig.open({ tenant, labels }, caller);
      return { run: opened.run, caller, tenant };
    },
    async heldRun() {
      const tenant = `t-${randomUUID()}`;
      await self.budget('tenant', tenant, 150);
      const opened = await self.runOf(tenant);
      const answer = await self.ask(opened, 1);
      expect(answer).toMatchObject({ ruling: { effect: 'pause', hold: { reason: 'BUDGET' } }, hold: 1 });
      return opened;
    },
    ask: async ({ run, caller }, attempt) =>
      rig.step(caller, await modelCall(rig, run, 1, { tokens: 200, output: 10, attempt })),
    raise: ({ run, caller }, asked, { claim = BOB, updateId = randomUUID(), deps = rig.deps } = {}) =>
      rig.as((sql) =>
        access(sql, deps, { history: caller }, { run, verb: 'raise_budget', updateId, claim, raise: asked }),
      ),
    async capOf(subject) {
      const [row] = await rig.decide.query<{ cap: bigint }>(`SELECT cap FROM decide.budgets WHERE subject = $1`, [
        subject,
      ]);
      return row?.cap;
    },
    raisesOf: ({ run }) =>
      rig.stack.admin.query(
        `SELECT x.from_cap, x.to_cap, a.actor, a.hold FROM decide.raises x JOIN decide.acts a USING (run_id, update_id)
        WHERE x.run_id = $1 ORDER BY x.at`,
        [uuidOf(run)],
      ),
    holdsOf: ({ run }) =>
      rig.decide.query('SELECT hold, reason, resolution FROM decide.holds WHERE run_id = $1 ORDER BY hold', [
        uuidOf(run),
      ]),
  };
  return self;
}

export const of = (opened: Opened, over: Partial<BudgetRaise> = {}): BudgetRaise => ({
  scope: 'tenant',
  subject: opened.tenant,
  unit: 'usd_micros',
  window: 'month',
  from: '150',
  to: '1000',
  reason: 'worth it',
  ...over,
});
export const ruleOf = (answer: ActAnswer): string => (answer.allowed ? 'allowed' : answer.reason.rule);
