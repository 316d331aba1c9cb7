/**
 * What judging costs: the verdict's statement over very many closed runs, its findings counted against what was planted;
 * the judge as it works, page by page with its writes; and a sweep that finds nothing due among very many closed runs.
 */
import { rm } from 'node:fs/promises';
import { judgeDue } from '../src/audit/judge/judge.js';
import { createSigner } from '../src/audit/receipts/signer.js';
import { sweep } from '../src/audit/reconcile/reconciler.js';
import type { Database } from '../src/domain/sql.js';
import { openDatabase, type OpenDatabase } from '../src/platform/postgres/database.js';
import { startPostgres } from '../src/platform/local/postgres.js';
import { loginUrls, migrateForTests, openAdmin } from '../test/stack/databases.js';
import { temporaryFolder, testPasswords } from '../test/stack/servers.js';
import { exportJWK, generateKeyPair } from 'jose';
import { percentile, type Benchmark } from './figures.js';
import { loadClosed, loadRuns, PLANTED } from './judge-data.js';

const ROUNDS = 3;
const OPEN = 1_000;
const PAGED = 20_000;
const SLICE = 2_000;
const GOAL = { runs: 1_000_000, perSecond: 100_000, sweepMs: 200 };

/** Nothing here is to be kept. */
const SETTINGS = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  autovacuum: 'off',
  shared_buffers: '2GB',
  max_wal_size: '8GB',
  maintenance_work_mem: '512MB',
};

type Sizes = {
  readonly runs?: number | undefined;
  /** Without evidence: what the sweep has beside it. */
  readonly closed?: number | undefined;
};

export async function judge({ runs: asked = 100_000, closed = 10 * asked }: Sizes): Promise<Benchmark> {
  const runs = Math.max(100, Math.floor(asked / 100) * 100);
  const folder = await temporaryFolder('bench');
  const postgres = await startPostgres({ dataDir: `${folder}/postgres`, settings: SETTINGS });
  try {
    const url = postgres.adminUrl('postgres');
    await migrateForTests(url, testPasswords);
    const admin = await openAdmin(url);
    const audit = await openDatabase(loginUrls(url, testPasswords).audit, {
      login: 'audit',
      applicationName: 'bench',
      statementTimeoutMs: 0,
    });
    try {
      return await measure(admin, audit, runs, closed);
    } finally {
      await Promise.all([admin.close(), audit.close()]);
    }
  } finally {
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function measure(admin: OpenDatabase, audit: OpenDatabase, runs: number, closed: number): Promise<Benchmark> {
  await loadRuns(admin, runs);
  const seconds: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) seconds.push(await ruleAll(admin, runs));
  const together = await ruleTogether(admin, runs);
  const paged = Math.min(PAGED, runs);
  const pagedSeconds = await timed(() => judgePaged(admin, audit, paged));
  // What is still due is not the sweep's.
  await admin.query(`UPDATE audit.contracts SET judge_after = NULL WHERE judge_after = '-infinity'`);
  await admin.query('TRUNCATE audit.unsigned');
  await loadClosed(admin, { from: runs + 1, closed, open: OPEN });
  const sweeps = await sweepTimes(audit);
  return {
    name: 'judge',
    settings: { runs, closed: closed + runs, open: OPEN, paged, rounds: ROUNDS, work_mem: '512MB' },
    figures: [
      {
        name: 'runs ruled on a second, one statement',
        value: runs / percentile(seconds, 0.5),
        unit: '/s',
        atLeast: GOAL.perSecond,
        ...(runs < GOAL.runs ? { design: `over ${GOAL.runs} runs` } : {}),
      },
      {
        name: `runs ruled on a second, two sessions at once, ${SLICE} a statement`,
        value: runs / together,
        unit: '/s',
      },
      { name: 'runs judged a second, pages written', value: paged / pagedSeconds, unit: '/s' },
      {
        name: 'a sweep with nothing due, p50',
        value: percentile(sweeps, 0.5),
        unit: 'ms',
        atMost: GOAL.sweepMs,
        ...(closed < 10 * GOAL.runs ? { design: `among ${10 * GOAL.runs} closed` } : {}),
      },
    ],
    notes: [`counts found = planted: ${runs / 100} of each of ${Object.keys(PLANTED).length} findings`],
  };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

type Found = readonly { readonly code: string; readonly count: number }[];
const COUNTED = `SELECT coalesce(o.code, u.status) AS code, count(*)::int AS count
  FROM audit.ruling($1::uuid[], $2) u LEFT JOIN LATERAL jsonb_to_recordset(u.findings) AS o (code text) ON true GROUP BY 1`;

/** One statement over all of them. @throws when it finds anything else than was planted */
async function ruleAll(admin: Database, runs: number): Promise<number> {
  const ids = await allIds(admin);
  let found: Found = [];
  const took = await admin.transaction(async (sql) => {
    await sql.query(`SET LOCAL work_mem = '512MB'`);
    await sql.query(`SET LOCAL plan_cache_mode = 'force_custom_plan'`);
    await sql.query('SET LOCAL enable_memoize = off');
    return timed(async () => {
      found = await sql.query(COUNTED, [ids, new Date().toISOString()]);
    });
  });
  requirePlanted(found, runs);
  return took;
}

/** As two judges would: each takes the next slice, by lookups as audit.judge plans them. @throws as ruleAll */
async function ruleTogether(admin: Database, runs: number): Promise<number> {
  const ids = await allIds(admin);
  const counts = new Map<string, number>();
  let next = 0;
  const work = (): Promise<void> =>
    admin.transaction(async (sql) => {
      for (const set of ['enable_seqscan = off', 'enable_memoize = off', 'jit = off'])
        await sql.query(`SET LOCAL ${set}`);
      while (next < ids.length) {
        const slice = ids.slice(next, next + SLICE);
        next += slice.length;
        const found: Found = await sql.query(COUNTED, [slice, new Date().toISOString()]);
        for (const { code, count } of found) counts.set(code, (counts.get(code) ?? 0) + count);
      }
    });
  const took = await timed(() => Promise.all([work(), work()]));
  requirePlanted(
    [...counts].map(([code, count]) => ({ code, count })),
    runs,
  );
  return took;
}

async function allIds(admin: Database): Promise<readonly string[]> {
  const [all] = await admin.query<{ ids: readonly string[] }>(
    'SELECT array_agg(run_id ORDER BY run_id) AS ids FROM audit.contracts',
  );
  return all?.ids ?? [];
}

function requirePlanted(found: Found, runs: number): void {
  const wanted = new Map([['COMPLETE', runs - (runs / 100) * Object.keys(PLANTED).length]]);
  for (const planted of Object.keys(PLANTED)) {
    const code = planted.replace(/ .*/, '');
    wanted.set(code, (wanted.get(code) ?? 0) + runs / 100);
  }
  const wrong = found.filter(({ code, count }) => wanted.get(code) !== count);
  if (wrong.length > 0 || found.length !== wanted.size)
    throw new Error(`found is not what was planted: ${JSON.stringify(wrong)}`);
}

async function judgePaged(admin: Database, audit: Database, runs: number): Promise<void> {
  await admin.query(
    `UPDATE audit.contracts SET judge_after = clock_timestamp() + interval '1 hour'
     WHERE run_id NOT IN (SELECT run_id FROM audit.contracts ORDER BY run_id LIMIT $1)`,
    [runs],
  );
  const judged = await judgeDue(audit);
  if (judged.length !== runs || !judged.every((one) => one.written))
    throw new Error(`of ${runs} runs ${judged.length} were judged`);
}

async function sweepTimes(audit: Database): Promise<readonly number[]> {
  const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
  const signer = await createSigner({ ...(await exportJWK(privateKey)), kid: 'bench' });
  const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const took: number[] = [];
  for (let n = 0; n < 20; n += 1)
    took.push(1000 * (await timed(() => sweep({ database: audit, signer, assertionKeys: null, log: quiet }))));
  return took;
}
