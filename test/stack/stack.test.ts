import { expect, it } from '@jest/globals';
import { rm } from 'node:fs/promises';
import { ScheduleNotFoundError } from '@temporalio/client';
import { openDatabase } from '../../src/platform/postgres/database.js';
import { logins } from '../../src/platform/postgres/login.js';
import { assertReconcileSchedule, RECONCILE_SCHEDULE } from '../../src/platform/temporal/schedule.js';
import { connectTemporal, temporalSettings } from '../../src/platform/temporal/temporal.js';
import { keptBundle } from './bundles.mjs';
import { temporaryFolder } from './servers.js';
import { createOwnStack, createStack } from './stack.js';

it('given two stacks, each has a database and a namespace of its own, every login enters by its password, and what is dropped leaves nothing at work', async () => {
  const [one, other] = await Promise.all([createStack(), createStack()]);
  await one.admin.query('CREATE SCHEMA mine');
  expect(await other.admin.query("SELECT to_regnamespace('mine')::text AS mine")).toEqual([{ mine: null }]);
  expect(one.namespace).not.toBe(other.namespace);
  for (const login of logins) {
    const database = await openDatabase(one.urls[login], { login, applicationName: 'stack test', max: 1 });
    expect(await database.query('SELECT session_user::text AS who')).toEqual([{ who: `rok_${login}` }]);
    await database.close();
  }
  const database = one.database;
  const temporal = await connectTemporal(
    temporalSettings({ TEMPORAL_ADDRESS: one.temporalAddress, TEMPORAL_NAMESPACE: one.namespace }),
  );
  await assertReconcileSchedule(temporal.client, { everyMs: 60_000 });
  await one.drop();
  await expect(temporal.client.schedule.getHandle(RECONCILE_SCHEDULE).describe()).rejects.toThrow(
    ScheduleNotFoundError,
  );
  await temporal.close();
  expect(await other.admin.query('SELECT 1 FROM pg_database WHERE datname = $1', [database])).toEqual([]);
  await other.drop();
});

it('given servers of its own, they can be killed and come back at the same addresses with their rows', async () => {
  const own = await createOwnStack({ temporal: true, durable: true });
  try {
    await own.admin.query('CREATE SCHEMA kept');
    process.kill(own.postgres.pid, 'SIGKILL');
    await own.restartPostgres();
    expect(await own.admin.query("SELECT to_regnamespace('kept')::text AS kept")).toEqual([{ kept: 'kept' }]);
    process.kill(own.temporal?.pid ?? 0, 'SIGKILL');
    await own.restartTemporal();
    const settings = temporalSettings({ TEMPORAL_ADDRESS: own.temporalAddress, TEMPORAL_NAMESPACE: own.namespace });
    const temporal = await connectTemporal(settings);
    await temporal.close();
  } finally {
    await own.drop();
  }
});

it('given the same bundler twice, it bundles once and the second has the whole of it; given another, it bundles again', async () => {
  const folder = await temporaryFolder('bundles');
  let made = 0;
  const bundle = (workflowsPath: string, hook: () => number) =>
    keptBundle(folder, { logger: { made }, workflowsPath, webpackConfigHook: hook }, () => {
      made += 1;
      return Promise.resolve({ code: `// bundle ${made}` });
    });
  const one = () => 1;
  expect([
    await bundle('a.ts', one),
    await bundle('a.ts', one),
    await bundle('b.ts', one),
    await bundle('a.ts', () => 2),
    await bundle('a.ts', one),
  ]).toEqual([1, 1, 2, 3, 1].map((at) => ({ code: `// bundle ${at}` })));
  await rm(folder, { recursive: true });
});
