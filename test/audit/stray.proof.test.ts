/**
 * A stray with the timings that are shipped: a workflow that Temporal accepted while nobody served its queue. Within `npm
 * test` reconcile.test.ts shows the same with timings of nothing; this one takes four minutes.
 */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import { loadConfig } from '../../src/platform/config/config.js';
import { ensureDevKeys } from '../../src/platform/local/dev-keys.js';
import { createLogger } from '../../src/platform/logging.js';
import { temporalSettings } from '../../src/platform/temporal/temporal.js';
import { startAudit } from '../../src/workers/audit.js';
import type { RunningWorker } from '../../src/workers/setup.js';
import { proofSize } from '../proof-size.js';
import { createOwnStack, type OwnStack } from '../stack/stack.js';

const atLength = proofSize({ quick: it.skip, full: it });

/** Two minutes until a missing run counts, a minute of grace, and each is looked at every 30 s; the rest is the machine's. */
const SETTLED_S = 120;
const GRACE_S = 60;
const SWEEP_S = 30;
const BUSY_S = 10;

let stack: OwnStack;
let connection: Connection;
let worker: RunningWorker;
beforeAll(async () => {
  stack = await createOwnStack({ temporal: true });
  connection = await Connection.connect({ address: stack.temporalAddress });
  const keys = await ensureDevKeys(`${stack.folder}/keys`);
  const env = {
    ROK_DATABASE_URL_AUDIT: stack.urls.audit,
    ROK_SIGNING_KEY: keys.signingKey,
    TEMPORAL_ADDRESS: stack.temporalAddress,
    TEMPORAL_NAMESPACE: stack.namespace,
    GOVERNANCE_PROFILE: 'STANDARD',
  };
  worker = await startAudit({
    config: loadConfig(env),
    temporal: temporalSettings(env),
    log: createLogger({ level: 'silent' }),
  });
}, 60_000);
afterAll(async () => {
  await worker.stop();
  await connection.close();
  await stack.drop();
}, 60_000);

type Settled = {
  readonly found_s: number;
  readonly judged_s: number;
  readonly status: string;
  readonly findings: readonly object[];
  readonly chain: string;
};

atLength(
  'an execution that never opened a run is found after two minutes, and ruled NO_CONTRACT and signed a minute and a sweep later',
  async () => {
    const client = new Client({ connection, namespace: stack.namespace });
    const stray = await client.workflow.start('governedRun', {
      taskQueue: 'rok-control',
      workflowId: 'rok/acme/unserved',
      args: [{ tenant: 'acme', agent: 'clerk', input: 'is anybody there?', actor: { local: 'alice' } }],
    });
    const settled = (): Promise<readonly Settled[]> =>
      stack.admin.query<Settled>(
        `SELECT extract(epoch FROM s.found_at - s.started_at)::float8 AS found_s,
           extract(epoch FROM v.judged_at - s.found_at)::float8 AS judged_s, v.status, v.findings, r.tenant AS chain
         FROM audit.strays s JOIN audit.verdicts v USING (run_id) JOIN audit.receipts r USING (run_id)`,
      );
    while ((await settled()).length === 0) await new Promise((resolve) => setTimeout(resolve, 500));
    const [row] = await settled();
    expect(row).toMatchObject({
      status: 'INCOMPLETE',
      findings: [
        {
          code: 'NO_CONTRACT',
          blocking: true,
          subject: 'rok/acme/unserved',
          detail: `the execution ${stray.firstExecutionRunId} never opened a run`,
        },
      ],
      chain: '-',
    });
    expect(row?.found_s).toBeGreaterThan(SETTLED_S);
    expect(row?.found_s).toBeLessThan(SETTLED_S + SWEEP_S + BUSY_S);
    expect(row?.judged_s).toBeGreaterThanOrEqual(GRACE_S);
    expect(row?.judged_s).toBeLessThan(GRACE_S + SWEEP_S + BUSY_S);
  },
  300_000,
);
