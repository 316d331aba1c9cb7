/**
 * Connections that fall silent under each worker, as a firewall's do that forgot them: nothing is closed, nothing comes through,
 * and whoever connects anew is served. Nobody waits for them.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Login } from '../../src/platform/postgres/login.js';
import type { WorkerName } from '../../src/platform/config/variables.js';
import { startFreezingProxy, type FreezingProxy } from '../stack/freezing-proxy.js';
import { CONVERSATION } from './deployment.js';
import { decisionsOf, ended, verdictOf } from './evidence.js';
import { createFaultRig, type FaultRig } from './rig.js';
import { until } from './until.js';
import type { WorkerProcess } from './worker-process.js';

const SWEEP_MS = 1_000;
const BUSY_MS = 2_000;
/** A sweep that began on a silent connection is left behind after this. */
const LATE_MS = 10_000;
const GO_ON_MS = 15_000;
const LOGINS: Readonly<Record<'control' | 'execute' | 'audit', readonly Login[]>> = {
  control: ['decide', 'observe'],
  execute: ['execute'],
  audit: ['audit'],
};

let rig: FaultRig;
let proxy: FreezingProxy;
let workers: readonly WorkerProcess[] = [];

beforeAll(async () => {
  rig = await createFaultRig(CONVERSATION.map((answer) => ({ ...answer, delayMs: 700 })));
  const { hostname, port } = new URL(rig.stack.adminUrl);
  proxy = await startFreezingProxy({ host: hostname, port: Number(port) });
}, 60_000);
afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.kill()));
});
afterAll(async () => {
  await rig.close();
  await proxy.close();
});

/** All three, one of them by way of the proxy. */
async function startAll(frozen: keyof typeof LOGINS): Promise<void> {
  const through = Object.fromEntries(
    LOGINS[frozen].map((login) => [`ROK_DATABASE_URL_${login.toUpperCase()}`, proxy.through(rig.stack.urls[login])]),
  );
  const names: readonly WorkerName[] = ['control', 'execute', 'audit'];
  workers = await Promise.all(names.map((name) => rig.worker([name], name === frozen ? through : {})));
}

describe('given that the connections of a worker fall silent while several runs are under way', () => {
  it.each(['control', 'execute'] as const)(
    '%s: each run is decided on within 15 s, and is COMPLETE',
    async (frozen) => {
      await startAll(frozen);
      const ids = [1, 2, 3, 4].map((n) => `rok/acme/${frozen}-${n}`);
      await Promise.all(ids.map((id) => rig.start(id)));
      const runs = await Promise.all(ids.map((id) => rig.runOf(id)));
      await until('calls of all, and a connection to freeze', async () => {
        const decisions = await Promise.all(runs.map((run) => decisionsOf(rig.stack, run)));
        return decisions.every((lines) => lines.length >= 2) && proxy.live() > 0 ? true : null;
      });
      const decided = await Promise.all(runs.map(async (run) => (await decisionsOf(rig.stack, run)).length));
      expect(proxy.freeze()).toBeGreaterThan(0);
      await Promise.all(
        runs.map((run, at) =>
          until(
            `a further decision of ${run}`,
            async () => ((await decisionsOf(rig.stack, run)).length > (decided[at] ?? 0) ? true : null),
            GO_ON_MS,
          ),
        ),
      );
      for (const run of runs) {
        expect(await ended(rig.stack, run)).toEqual({ phase: 'COMPLETED', outcome: 'succeeded' });
        expect(await verdictOf(rig.stack, run)).toMatchObject({ status: 'COMPLETE', blocking: [] });
      }
    },
    180_000,
  );

  it('audit: runs that nobody ends are judged in time, however often it happens', async () => {
    await rig.terms('acme', '4 seconds', '2 seconds');
    await startAll('audit');
    const ids = [1, 2, 3].map((n) => `rok/acme/audit-${n}`);
    await Promise.all(ids.map((id) => rig.start(id)));
    const runs = await Promise.all(ids.map((id) => rig.runOf(id)));
    await workers[0]?.kill();
    const judged = new AbortController();
    const freezing = (async () => {
      while (!judged.signal.aborted) {
        proxy.freeze();
        await new Promise((resolve) => setTimeout(resolve, 3_000));
      }
    })();
    const verdicts = await Promise.all(runs.map((run) => verdictOf(rig.stack, run)));
    judged.abort();
    await freezing;
    for (const { status, afterDueMs } of verdicts) {
      expect(status).toBe('STALE');
      expect(afterDueMs).toBeLessThan(LATE_MS + SWEEP_MS + BUSY_MS);
    }
  }, 180_000);
});
