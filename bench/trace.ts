/**
 * The trace: durable appends of three events each, as a step makes them, over many runs at once; and one bundle of a million
 * events, verified offline from its bytes as `rok verify` does it. PostgreSQL keeps every commit, as in production.
 */
import { hash } from 'node:crypto';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { JSONWebKeySet } from 'jose';
import { loginUrls, migrateForTests, openAdmin } from '../test/stack/databases.js';
import { temporaryFolder, testPasswords, testPostgres } from '../test/stack/servers.js';
import { newRun } from '../test/audit/facts.js';
import { runIdOf, type RunId } from '../src/domain/ids.js';
import { verifyBundle } from '../src/audit/verify/verify.js';
import { encodeEvents } from '../src/observe/trace-facade.js';
import { openTraceStore, type AppendToTrace } from '../src/observe/trace-store.js';
import { openDatabase } from '../src/platform/postgres/database.js';
import { percentile, type Benchmark } from './figures.js';

const RUNS = 400;
const LANES = 24;
const WARM_TURNS = 10;

/** @param options.runs seconds of appending */
export async function trace({ runs: seconds = 15 }: { readonly runs?: number }): Promise<Benchmark> {
  // First, with an empty memory, as `rok verify` begins.
  const verified = await verifyMillion();
  const appended = await appends(seconds);
  return {
    name: 'trace',
    settings: { seconds, runs: RUNS, lanes: LANES, eventsPerBatch: 3, fsync: 'on' },
    figures: [
      { name: 'batches_per_s', value: appended.perSecond, unit: '/s', atLeast: 5_000 },
      { name: 'append_p50_ms', value: percentile(appended.ms, 0.5), unit: 'ms' },
      { name: 'append_p99_ms', value: percentile(appended.ms, 0.99), unit: 'ms' },
      { name: 'verify_million_s', value: verified.seconds, unit: 's', atMost: 4 },
      { name: 'verified_mb', value: verified.bytes / 1e6, unit: 'MB' },
    ],
    notes: [],
  };
}

/** Everything that `rok verify` does with a file, from its bytes on. */
async function verifyMillion(): Promise<{ readonly seconds: number; readonly bytes: number }> {
  const folder = await temporaryFolder('bench');
  try {
    const program = fileURLToPath(new URL('trace-million.ts', import.meta.url));
    const [code] = (await once(fork(program, [folder], { execArgv: ['--import', 'tsx'] }), 'exit')) as [number | null];
    if (code !== 0) throw new Error('the bundle of a million events was not written');
    const bytes = await readFile(join(folder, 'million.json'));
    const jwks = JSON.parse(await readFile(join(folder, 'jwks.json'), 'utf8')) as JSONWebKeySet;
    const began = performance.now();
    const answer = await verifyBundle(bytes, { jwks }, { sha256: (message) => hash('sha256', message, 'hex') });
    const seconds = (performance.now() - began) / 1000;
    if (answer.result !== 'verified') throw new Error(`it does not verify: ${JSON.stringify(answer)}`);
    return { seconds, bytes: bytes.length };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function appends(seconds: number): Promise<{ readonly perSecond: number; readonly ms: readonly number[] }> {
  const folder = await temporaryFolder('bench');
  const postgres = await testPostgres(folder, { quick: false });
  try {
    const bootstrap = await openAdmin(postgres.adminUrl('postgres'));
    await bootstrap.query('CREATE DATABASE rok_bench');
    await bootstrap.close();
    const adminUrl = postgres.adminUrl('rok_bench');
    await migrateForTests(adminUrl, testPasswords);
    const urls = loginUrls(adminUrl, testPasswords);
    const decide = await openDatabase(urls.decide, { login: 'decide', applicationName: 'bench' });
    const observe = await openDatabase(urls.observe, { login: 'observe', applicationName: 'bench' });
    const store = openTraceStore(observe);
    const runs = Array.from({ length: RUNS }, newRun);
    for (const run of runs) await decide.query(`SELECT audit.declare($1, 'bench', 'desk', 'STANDARD', NULL)`, [run]);
    const open = runs.map((run) => ({ run: runIdOf(run), step: 0 }));
    const ms: number[] = [];
    // Warm: statements prepared, first events and their acks written, the client compiled.
    for (let turn = 0; turn < WARM_TURNS; turn += 1) await Promise.all(open.map((one) => append(store, one)));
    const began = performance.now();
    const until = began + seconds * 1000;
    const lane = async (at: number): Promise<void> => {
      // Each lane has runs of its own: a run's appends wait for each other anyway.
      const mine = open.filter((_, index) => index % LANES === at);
      for (let turn = 0; performance.now() < until; turn += 1) {
        const one = mine[turn % mine.length];
        if (one === undefined) return;
        const from = performance.now();
        await append(store, one);
        ms.push(performance.now() - from);
      }
    };
    await Promise.all(Array.from({ length: LANES }, (_, at) => lane(at)));
    const took = (performance.now() - began) / 1000;
    await Promise.all([decide.close(), observe.close()]);
    return { perSecond: ms.length / took, ms };
  } finally {
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** What a step leaves: decided, executed, and one more. */
async function append(store: AppendToTrace, one: { readonly run: RunId; step: number }): Promise<void> {
  const step = (one.step += 1);
  const digest = 'a'.repeat(64);
  const encoded = encodeEvents([
    {
      id: `${step}.1.decided`,
      kind: 'step.decided',
      body: { effect: 'allow', kind: 'model.call', target: 'a/model', action: digest },
    },
    {
      id: `${step}.1.executed`,
      kind: 'step.executed',
      body: { status: 'succeeded', result: digest, input: 1200, output: 85 },
    },
    { id: `${step}.phase`, kind: 'phase.changed', body: { step } },
  ]);
  if (!encoded.ok) throw new Error(encoded.problem);
  await store(one.run, encoded.events);
}
