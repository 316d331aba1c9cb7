/** Reconciling against a real Temporal: nudges, orphans, strays, the rolling sample, and the scheduled workflow itself. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { exportJWK, generateKeyPair } from 'jose';
import { createAuditActivities } from '../../src/activities/audit.js';
import { temporalViewOf } from '../../src/activities/temporal-view.js';
import { overdueStep, unclaimedSpans } from '../../src/audit/reconcile/overdue-plan.js';
import { createSigner } from '../../src/audit/receipts/signer.js';
import { CONTROL_QUEUES, GOVERNED_RUN, WITHOUT_RUN } from '../../src/domain/executions.js';
import type { AuditActivities, ReconcileAnswer } from '../../src/domain/protocol/audit.js';
import { uuidOf } from '../../src/domain/ids.js';
import { assertReconcileSchedule, RECONCILE_SCHEDULE } from '../../src/platform/temporal/schedule.js';
import { createStack, type Stack } from '../stack/stack.js';
import { aRun, newRun, TRACE_ACK } from './facts.js';
import { plant } from './plant.js';
import { closeLogins, openLogins, sealedRun, type Logins } from './sealed-run.js';

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };

let stack: Stack;
let logins: Logins;
let connection: Connection;
let client: Client;
let audit: AuditActivities;
beforeAll(async () => {
  stack = await createStack();
  logins = await openLogins(stack);
  connection = await Connection.connect({ address: stack.temporalAddress });
  client = new Client({ connection, namespace: stack.namespace });
  const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
  const signer = await createSigner({ ...(await exportJWK(privateKey)), kid: 'k' });
  audit = createAuditActivities({
    database: logins.audit,
    signer,
    assertionKeys: null,
    log: quiet,
    temporal: temporalViewOf(client),
    strays: { settledMs: 0, graceMs: 0 },
    sample: { runs: 3, events: 1_000 },
  });
});
afterAll(async () => {
  await connection.close();
  await closeLogins(logins);
  await stack.drop();
});

/** Nobody polls that queue: the execution just stays open. */
const start = (workflowId: string) =>
  client.workflow.start('governedRun', { taskQueue: 'nobody', workflowId, args: [] });

/** A run past its deadline, whose history is the given execution. */
async function overdueRun(temporalRunId: string, workflowId: string): Promise<string> {
  const facts = aRun({ finalizeDueMs: -1_000, phase: 'EXECUTING', outcome: null, acks: [TRACE_ACK], evaluation: null });
  await plant(stack.admin, [facts]);
  await stack.admin.query('UPDATE decide.runs SET temporal_run_id = $2, workflow_id = $3 WHERE run_id = $1', [
    facts.run,
    temporalRunId,
    workflowId,
  ]);
  await stack.admin.query(
    `INSERT INTO decide.histories (run_id, workflow_id, temporal_run_id, reason) VALUES ($1, $3, $2, 'open')`,
    [facts.run, temporalRunId, workflowId],
  );
  return facts.run;
}

describe('what to do about an overdue run', () => {
  it('is a total function of what Temporal says', () => {
    expect(overdueStep('RUNNING')).toEqual({ do: 'signal' });
    expect(overdueStep('CONTINUED_AS_NEW')).toEqual({ do: 'look at the latest' });
    expect(overdueStep('UNKNOWN')).toEqual({ do: 'nothing' });
    for (const status of ['COMPLETED', 'FAILED', 'CANCELLED', 'TERMINATED', 'TIMED_OUT', 'NOT_FOUND'] as const)
      expect(overdueStep(status)).toEqual({ do: 'record as orphan' });
  });

  it('asks one that lives to finalize, and records those that are closed or gone, once', async () => {
    const alive = await start(`rok/acme/${newRun()}`);
    await overdueRun(alive.firstExecutionRunId, alive.workflowId);
    const killed = await start(`rok/acme/${newRun()}`);
    await killed.terminate('by the test');
    const closed = await overdueRun(killed.firstExecutionRunId, killed.workflowId);
    const gone = await overdueRun(newRun(), `rok/acme/${newRun()}`);

    expect(await audit['audit.signalOverdue']({})).toEqual({ nudged: 1, closed: 2 });
    const { events } = await alive.fetchHistory();
    const signals = (events ?? []).flatMap((event) => event.workflowExecutionSignaledEventAttributes?.signalName ?? []);
    expect(signals).toEqual(['finalize_run']);
    const orphans = await stack.admin.query<{ run_id: string; status: string }>(
      'SELECT run_id, status FROM audit.v_orphans',
    );
    expect(new Map(orphans.map((one) => [one.run_id, one.status]))).toEqual(
      new Map([
        [closed, 'TERMINATED'],
        [gone, 'NOT_FOUND'],
      ]),
    );
    expect(await audit['audit.signalOverdue']({})).toEqual({ nudged: 1, closed: 0 });
    await alive.terminate('by the test');
  });
});

describe('strays', () => {
  it('are searched in spans, oldest first, from where the last search ended less what visibility may lag', () => {
    const now = new Date('2026-01-02T00:00:00Z');
    const first = unclaimedSpans(now, null, 120_000);
    expect([first.length, first[0]?.after.toISOString(), first.at(-1)?.until.toISOString()]).toEqual([
      24,
      '2025-12-31T23:58:00.000Z',
      '2026-01-01T23:58:00.000Z',
    ]);
    expect(unclaimedSpans(now, new Date('2026-01-01T23:58:00Z'), 120_000)).toEqual([
      { after: new Date('2026-01-01T23:53:00Z'), until: new Date('2026-01-01T23:58:00Z') },
    ]);
  });

  it('an execution without a run is entered and judged NO_CONTRACT; one that opened, or was refused, is not', async () => {
    const [stray, late, refused] = [
      await start(`rok/acme/${newRun()}`),
      await start(`rok/acme/${newRun()}`),
      await start(`rok/acme/${newRun()}`),
    ];
    await stack.admin.query(
      `INSERT INTO decide.refused_histories (workflow_id, temporal_run_id, code) VALUES ($1, $2, 'not_this_history')`,
      [refused.workflowId, refused.firstExecutionRunId],
    );
    const entered = () =>
      stack.admin.query<{ temporal_run_id: string }>('SELECT temporal_run_id FROM audit.strays ORDER BY started_at');
    const ids = async () =>
      (await entered())
        .map((one) => one.temporal_run_id)
        .filter((id) => [stray, late, refused].some((one) => one.firstExecutionRunId === id));
    // Visibility is eventually consistent, in the dev server too.
    while ((await ids()).length < 2) await audit['audit.findUnclaimed']({});
    expect((await ids()).sort()).toEqual([stray.firstExecutionRunId, late.firstExecutionRunId].sort());
    expect(await audit['audit.findUnclaimed']({})).toEqual({ strays: 0 });

    await overdueRun(late.firstExecutionRunId, late.workflowId);
    await audit['audit.sweep']({});
    const rows = await stack.admin.query(
      `SELECT s.workflow_id, s.settled_as, v.status, v.findings, r.tenant AS chain FROM audit.strays s
       LEFT JOIN audit.verdicts v USING (run_id) LEFT JOIN audit.receipts r USING (run_id) WHERE s.workflow_id = ANY ($1) ORDER BY s.settled_as`,
      [[stray.workflowId, late.workflowId]],
    );
    expect(rows).toEqual([
      {
        workflow_id: stray.workflowId,
        settled_as: 'judged',
        status: 'INCOMPLETE',
        findings: [
          {
            code: 'NO_CONTRACT',
            blocking: true,
            subject: stray.workflowId,
            detail: `the execution ${stray.firstExecutionRunId} never opened a run`,
          },
        ],
        chain: '-',
      },
      { workflow_id: late.workflowId, settled_as: 'opened', status: null, findings: null, chain: null },
    ]);
    await Promise.all([stray, late, refused].map((one) => one.terminate('by the test')));
  });
});

describe('executions on the queue of the control worker', () => {
  it('count whatever their type is, unless they are one of ROK’s own that open no run, or are to begin later', async () => {
    expect(Object.keys(await import('../../src/workflows/index.js')).sort()).toEqual(
      [...WITHOUT_RUN, GOVERNED_RUN].sort(),
    );
    const put = (type: string, startDelay = 0) =>
      client.workflow.start(type, {
        taskQueue: CONTROL_QUEUES[0],
        workflowId: `rok/acme/${newRun()}`,
        args: [],
        ...(startDelay === 0 ? {} : { startDelay }),
      });
    const [own, governed, ...others] = await Promise.all(['refundDesk', GOVERNED_RUN, ...WITHOUT_RUN].map(put));
    // It has not begun, so it cannot have opened a run.
    const delayed = await put('delayed', 3_600_000);
    // The last to come: when it is seen, all are.
    await Promise.all([...others, delayed].map((one) => one.describe()));
    const last = await put('lastOfAll');
    const all = [own, governed, ...others, delayed, last];
    const entered = async () =>
      (
        await stack.admin.query<{ workflow_id: string }>(
          'SELECT workflow_id FROM audit.strays WHERE workflow_id = ANY ($1) ORDER BY started_at',
          [all.map((one) => one?.workflowId)],
        )
      ).map((one) => one.workflow_id);
    while ((await entered()).length < 3) await audit['audit.findUnclaimed']({});
    while ((await client.workflow.count(`TaskQueue = '${CONTROL_QUEUES[0]}'`)).count < all.length)
      await audit['audit.findUnclaimed']({});
    await audit['audit.findUnclaimed']({});
    expect((await entered()).sort()).toEqual([own, governed, last].map((one) => one?.workflowId).sort());
    for (const one of all) await one?.terminate('by the test');
  });
});

describe('the rolling sample', () => {
  it('finds an event that was changed after the verdict, and the run is judged again', async () => {
    const [sound, changed] = [await sealedRun(stack, logins), await sealedRun(stack, logins)];
    for (const run of [sound, changed]) expect((await audit['audit.close']({ run })).status).toBe('COMPLETE');
    await stack.admin.transaction(async (sql) => {
      await sql.query('SET LOCAL session_replication_role = replica');
      await sql.query(
        `UPDATE observe.events SET bytes = convert_to(replace(convert_from(bytes, 'UTF8'), 'allow', 'deny'), 'UTF8') WHERE run_id = $1 AND seq = 2`,
        [uuidOf(changed)],
      );
    });
    const checked = async () =>
      (
        await stack.admin.query('SELECT run_id, ok FROM audit.trace_checks WHERE run_id = ANY ($1::uuid[])', [
          [uuidOf(sound), uuidOf(changed)],
        ])
      ).length;
    while ((await checked()) < 2) await audit['audit.reverify']({});
    await audit['audit.sweep']({});
    expect((await audit['audit.close']({ run: sound })).status).toBe('COMPLETE');
    expect(await audit['audit.close']({ run: changed })).toMatchObject({ status: 'INCOMPLETE', revision: 2 });
    const [row] = await stack.admin.query('SELECT findings FROM audit.v_verdicts WHERE run_id = $1', [uuidOf(changed)]);
    expect(row).toEqual({
      findings: [
        { code: 'TRACE_BROKEN', blocking: true, subject: 'event 2', detail: 'event 2 is not what its hash says' },
      ],
    });
  });
});

describe('the scheduled workflow', () => {
  it('is created once, runs its parts, puts back what was changed, and reports a pause', async () => {
    const native = await NativeConnection.connect({ address: stack.temporalAddress });
    const worker = await Worker.create({
      connection: native,
      namespace: stack.namespace,
      taskQueue: 'rok-audit',
      workflowsPath: fileURLToPath(new URL('../../src/workflows/reconcile.ts', import.meta.url)),
      activities: { ...audit },
    });
    await worker.runUntil(async () => {
      const stale = aRun({ finalizeDueMs: -5_000 });
      await plant(stack.admin, [stale]);
      expect(await assertReconcileSchedule(client, { everyMs: 1_000 })).toEqual({ created: true, paused: false });
      const handle = client.schedule.getHandle(RECONCILE_SCHEDULE);
      await handle.trigger();
      for (;;) {
        const recent = (await handle.describe()).info.recentActions.at(0);
        if (recent?.action.type === 'startWorkflow') {
          const answer = (await client.workflow
            .getHandle(recent.action.workflow.workflowId)
            .result()) as ReconcileAnswer;
          expect(Object.keys(answer).sort()).toEqual([
            'closed',
            'complete',
            'incomplete',
            'judged',
            'nudged',
            'signed',
            'stale',
            'strays',
          ]);
          break;
        }
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      const judged = () => stack.admin.query('SELECT status FROM audit.v_verdicts WHERE run_id = $1', [stale.run]);
      while ((await judged()).length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
      expect(await judged()).toEqual([{ status: 'STALE' }]);

      await handle.pause("somebody's decision");
      expect(await assertReconcileSchedule(client, { everyMs: 30_000 })).toEqual({ created: false, paused: true });
      expect((await handle.describe()).spec.intervals?.[0]?.every).toBe(30_000);
      await handle.delete();
      expect(await assertReconcileSchedule(client, { everyMs: 30_000 })).toEqual({ created: true, paused: false });
      await handle.delete();
    });
    await native.close();
  });
});
