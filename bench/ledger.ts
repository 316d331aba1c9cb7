/**
 * Steps a second through the ledger, from four processes: with one account that all share, and over fifty tenants. Three
 * accounts a step. PostgreSQL keeps every commit, as in production.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { budget, drift, openRun } from '../test/decide/ledger-rig.js';
import { loginUrls, migrateForTests, openAdmin, type LoginUrls } from '../test/stack/databases.js';
import { temporaryFolder, testPasswords } from '../test/stack/servers.js';
import { startPostgres } from '../src/platform/local/postgres.js';
import { openDatabase, type OpenDatabase } from '../src/platform/postgres/database.js';
import { COUNTING, startCounting, statementLines } from './ledger-statements.js';
import { percentile, type Benchmark } from './figures.js';
import type { LedgerDone, LedgerJob } from './ledger-process.js';

const PROCESSES = 4;
/** Runs under way in each process. */
const LANES = 48;
const WARM_UP_SECONDS = 5;
const program = fileURLToPath(new URL('ledger-process.ts', import.meta.url));
const LARGE = '1000000000000';

type Measured = {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly overspent: number;
  readonly notes: readonly string[];
};

type Load = { readonly tenants: number; readonly lanes: number; readonly seconds: number; readonly profile: boolean };

/** @param options.runs seconds for each of the two */
export async function ledger({
  runs: seconds = 20,
  profile = false,
}: {
  readonly runs?: number;
  readonly profile?: boolean;
}): Promise<Benchmark> {
  const folder = await temporaryFolder('bench');
  const postgres = await startPostgres({
    dataDir: join(folder, 'postgres'),
    settings: { max_connections: '300', ...(profile ? COUNTING : {}) },
  });
  try {
    const bootstrap = await openAdmin(postgres.adminUrl('postgres'));
    await bootstrap.query('CREATE DATABASE rok_bench');
    await bootstrap.close();
    const adminUrl = postgres.adminUrl('rok_bench');
    await migrateForTests(adminUrl, testPasswords);
    const urls = loginUrls(adminUrl, testPasswords);
    const shared = await measure(urls, adminUrl, {
      tenants: 1,
      lanes: LANES,
      seconds,
      profile,
    });
    const many = await measure(urls, adminUrl, {
      tenants: 50,
      lanes: LANES,
      seconds,
      profile,
    });
    return report(seconds, shared, many);
  } finally {
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function measure(
  urls: LoginUrls,
  adminUrl: string,
  { tenants, lanes, seconds, profile }: Load,
): Promise<Measured> {
  const decide = await openDatabase(urls.decide, { login: 'decide', applicationName: 'bench' });
  const admin = await openAdmin(adminUrl);
  // Each process is there before the clock starts.
  const children = Array.from({ length: PROCESSES }, () =>
    fork(program, { execArgv: ['--import', 'tsx'], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }),
  );
  try {
    const [runs] = await Promise.all([
      openRuns(decide, tenants, PROCESSES * lanes),
      ...children.map((child) => once(child, 'message')),
    ]);
    await admin.query('ANALYZE');
    if (profile) await startCounting(admin);
    const began = performance.now();
    const done = await Promise.all(
      children.map((child, at) =>
        answerOf(child, {
          urls,
          warmUpSeconds: WARM_UP_SECONDS,
          seconds,
          runs: runs.slice(at * lanes, (at + 1) * lanes),
        }),
      ),
    );
    const took = (performance.now() - began) / 1000;
    const ms = done.flatMap((one) => one.ms);
    const notes = profile ? [`${tenants} tenants:`, ...(await statementLines(admin, ms.length))] : [];
    if ((await drift(decide)).length > 0) throw new Error('the ledger does not agree with itself');
    return {
      perSecond: ms.length / Math.max(took - WARM_UP_SECONDS, seconds),
      p50: percentile(ms, 0.5),
      p99: percentile(ms, 0.99),
      overspent: await overspent(decide),
      notes,
    };
  } finally {
    for (const child of children) child.kill();
    await Promise.all([decide.close(), admin.close()]);
  }
}

/** Each takes from its own account, its label's and its tenant's. */
async function openRuns(decide: OpenDatabase, tenants: number, count: number): Promise<readonly string[]> {
  const prefix = `bench-${tenants}`;
  for (let at = 0; at < tenants; at += 1) await budget(decide, 'tenant', `${prefix}-${at}`, LARGE);
  const runs: string[] = [];
  for (let at = 0; at < count; at += 1) {
    const tenant = `${prefix}-${at % tenants}`;
    const run = await openRun(decide, tenant, { lane: `${at}` });
    await budget(decide, 'run', run, LARGE);
    await budget(decide, 'label', `${tenant}/lane=${at}`, LARGE);
    runs.push(run);
  }
  return runs;
}

async function overspent(decide: OpenDatabase): Promise<number> {
  const [row] = await decide.query<{ n: number }>(
    'SELECT count(*)::int AS n FROM decide.accounts WHERE spent + reserved + over > cap',
  );
  return row?.n ?? NaN;
}

function answerOf(child: ChildProcess, job: LedgerJob): Promise<LedgerDone> {
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => {
      reject(new Error(`a process ended with ${String(code)}`));
    });
    child.once('message', (said: { readonly done?: LedgerDone; readonly error?: string }) => {
      if (said.done === undefined) reject(new Error(said.error));
      else resolve(said.done);
    });
    child.send(job);
  });
}

function report(seconds: number, shared: Measured, many: Measured): Benchmark {
  return {
    name: 'ledger',
    settings: { processes: PROCESSES, runsInEach: LANES, secondsEach: seconds, accountsPerStep: 3, fsync: 'on' },
    figures: [
      { name: 'shared_steps_per_s', value: shared.perSecond, unit: '/s', atLeast: 1_000 },
      { name: 'shared_step_p50_ms', value: shared.p50, unit: 'ms' },
      { name: 'shared_step_p99_ms', value: shared.p99, unit: 'ms' },
      { name: 'tenants50_steps_per_s', value: many.perSecond, unit: '/s', atLeast: 2_000 },
      { name: 'tenants50_step_p50_ms', value: many.p50, unit: 'ms' },
      { name: 'tenants50_step_p99_ms', value: many.p99, unit: 'ms' },
      { name: 'overspent_accounts', value: shared.overspent + many.overspent, unit: '', atMost: 0 },
    ],
    notes: [...shared.notes, ...many.notes],
  };
}
