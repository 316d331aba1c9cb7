/** What a run's deadline, the sweep's nudge and the end of its last step ask for in one workflow task replays as recorded. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { bundleWorkflowCode, Worker } from '@temporalio/worker';
import { openDatabase } from '../../src/platform/postgres/database.js';
import { createFaultRig, type FaultRig } from './rig.js';
import { until } from './until.js';

const workflowsPath = fileURLToPath(new URL('../../src/workflows/index.ts', import.meta.url));

let rig: FaultRig;
beforeAll(async () => {
  rig = await createFaultRig([{ content: 'done', delayMs: 2_000 }]);
  await rig.terms('acme', '5 seconds', '30 seconds');
}, 60_000);
afterAll(() => rig.close());

it('when all three came while nobody served the workflow: one is asked at a time', async () => {
  const [, control] = await Promise.all([rig.worker(['execute']), rig.worker(['control'])]);
  const handle = await rig.start('rok/acme/crowded');
  await rig.asked(1);
  await control.kill();
  await until('the deadline', async () => {
    const [over] = await rig.stack.admin.query('SELECT FROM audit.contracts WHERE run_deadline < clock_timestamp()');
    return over;
  });
  await handle.signal('finalize_run', { by: 'reconcile' });

  const { admin, adminUrl } = rig.stack;
  const locker = await openDatabase(adminUrl, { applicationName: 'locker', max: 1 });
  const waiting = () =>
    admin.query<{ asked: string }>(
      `SELECT pid || ' ' || query_start AS asked FROM pg_stat_activity WHERE usename = 'rok_decide' AND datname = current_database()
         AND wait_event_type = 'Lock' ORDER BY query_start`,
    );
  await locker.transaction(async (sql) => {
    await sql.query('SELECT FROM decide.runs FOR UPDATE');
    await rig.worker(['control']);
    // Until the first has given up and asks again: whatever else there is to ask has had its turn by then.
    const seen = new Set<string>();
    await until('a second asking', async () => {
      const now = await waiting();
      expect(now.length).toBeLessThanOrEqual(1);
      for (const { asked } of now) seen.add(asked);
      return seen.size >= 2 ? true : null;
    });
  });
  await locker.close();

  await handle.result();
  expect((await handle.describe()).status.name).toBe('COMPLETED');
  const workflowBundle = await bundleWorkflowCode({ workflowsPath });
  await Worker.runReplayHistory({ workflowBundle }, await handle.fetchHistory());
}, 240_000);
