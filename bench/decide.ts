/**
 * Deciding: PolicyChecker in this process with 100 Cedar rules of which 40 match the action; and `decide.step` as a whole,
 * with PostgreSQL that keeps every commit, at 50 a second.
 */
import { rm } from 'node:fs/promises';
import { loadPolicies } from '../src/decide/cedar/cedar-check.js';
import { createPolicyChecker } from '../src/decide/policy-checker.js';
import { createPolicySets } from '../src/decide/policies/in-force.js';
import { identityOf } from '../src/decide/lifecycle/open-identity.js';
import { openRun } from '../src/decide/lifecycle/open.js';
import { decideStep } from '../src/decide/step/step.js';
import { openStepBatches, type AskedStep } from '../src/decide/step/step-batches.js';
import type { Caller } from '../src/decide/actors/caller.js';
import type { DecideDeps } from '../src/decide/deps.js';
import { runIdOf, type RunId } from '../src/domain/ids.js';
import type { Database, Sql } from '../src/domain/sql.js';
import { openDatabase, type OpenDatabase } from '../src/platform/postgres/database.js';
import { skillCall } from '../test/decide/step-rig.js';
import { depsWith } from '../test/decide/step-deps.js';
import { skillCall as intent, snapshotWith } from '../test/decide/snapshots.js';
import { loginUrls, migrateForTests, openAdmin } from '../test/stack/databases.js';
import { temporaryFolder, testPasswords, testPostgres } from '../test/stack/servers.js';
import { percentile, type Benchmark } from './figures.js';

const RULES = 100;
const MATCHING = 40;
const CHECKS = 5_000;
/** Checks before the clock starts: a control worker decides for days, not for a second. */
const WARM = 5_000;
const PER_SECOND = 50;
const RUNS = 100;

/** 40 about skill calls, 60 about other actions; each with an annotation and a condition of its own. */
const POLICIES = {
  default: [
    '@id("all") permit (principal, action, resource);',
    ...Array.from({ length: RULES }, (_, at) => {
      const action = at < MATCHING ? 'skill.call' : at % 2 === 0 ? 'model.call' : 'agent.delegate';
      const condition =
        at < MATCHING
          ? `context.arguments has amount_cents && context.arguments.amount_cents > ${10_000 + at}`
          : `context.counters.denials > ${at}`;
      return `@id("rule-${at}") @reason("rule ${at}") forbid (principal, action == Action::"${action}", resource) when { ${condition} };`;
    }),
  ].join('\n'),
};

/** @param options.runs seconds of steps; `profile` says how long each statement of a step waited for its answer */
export async function decide({
  runs: seconds = 20,
  profile = false,
}: {
  readonly runs?: number;
  readonly profile?: boolean;
}): Promise<Benchmark> {
  const checks = inProcess();
  const waits: Waits = new Map();
  const steps = await withDatabase(seconds, profile ? waits : null);
  return {
    name: 'decide',
    settings: { rules: RULES, matching: MATCHING, checks: CHECKS, perSecond: PER_SECOND, seconds, fsync: 'on' },
    figures: [
      { name: 'check_p50_us', value: percentile(checks.allowed, 0.5), unit: 'µs', atMost: 100 },
      { name: 'check_p99_us', value: percentile(checks.allowed, 0.99), unit: 'µs' },
      { name: 'denied_check_p50_us', value: percentile(checks.denied, 0.5), unit: 'µs' },
      { name: 'step_p50_ms', value: percentile(steps.ms, 0.5), unit: 'ms', atMost: 4 },
      { name: 'step_p99_ms', value: percentile(steps.ms, 0.99), unit: 'ms', atMost: 12 },
      { name: 'steps_per_s', value: steps.perSecond, unit: '/s' },
    ],
    notes: [...waits].map(
      ([text, ms]) => `${percentile(ms, 0.5).toFixed(2)} ms  ${text.replaceAll(/\s+/g, ' ').slice(0, 90)}`,
    ),
  };
}

function inProcess(): { readonly allowed: readonly number[]; readonly denied: readonly number[] } {
  const checker = createPolicyChecker(loadPolicies(POLICIES), []);
  const timed = (amountCents: number, effect: string): readonly number[] => {
    const spent: number[] = [];
    for (let at = -WARM; at < CHECKS; at += 1) {
      // Each of its own, as each step's is: nothing is remembered from one to the next.
      const snapshot = snapshotWith({ arguments: { amount_cents: amountCents, reason: `it came broken ${at}` } });
      const began = performance.now();
      const { ruling } = checker.check(intent, snapshot).answer;
      if (at >= 0) spent.push((performance.now() - began) * 1000);
      if (ruling.effect !== effect) throw new Error(`it is ${ruling.effect}`);
    }
    return spent;
  };
  return { allowed: timed(100, 'allow'), denied: timed(10_010, 'deny') };
}

/** Milliseconds by statement. */
type Waits = Map<string, number[]>;

const timing = (sql: Sql, waits: Waits): Sql => ({
  async query<R extends object>(text: string, values?: readonly unknown[]) {
    const began = performance.now();
    const rows = await sql.query<R>(text, values);
    const known = waits.get(text) ?? [];
    waits.set(text, known);
    known.push(performance.now() - began);
    return rows;
  },
});

type Open = { readonly run: RunId; readonly caller: Caller; step: number };

async function withDatabase(
  seconds: number,
  waits: Waits | null,
): Promise<{ readonly ms: readonly number[]; readonly perSecond: number }> {
  const folder = await temporaryFolder('bench');
  const postgres = await testPostgres(folder, { quick: false });
  try {
    const bootstrap = await openAdmin(postgres.adminUrl('postgres'));
    await bootstrap.query('CREATE DATABASE rok_bench');
    await bootstrap.close();
    const adminUrl = postgres.adminUrl('rok_bench');
    await migrateForTests(adminUrl, testPasswords);
    const { decide: url } = loginUrls(adminUrl, testPasswords);
    const database = await openDatabase(url, { login: 'decide', applicationName: 'bench', max: 20 });
    try {
      return await steps(database, benchDeps(), seconds, waits);
    } finally {
      await database.close();
    }
  } finally {
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

function benchDeps(): DecideDeps {
  const policies = loadPolicies(POLICIES);
  const deployed = { policies, checker: createPolicyChecker(policies, []) };
  return {
    ...depsWith({ limits: { usd: '1000.00', steps: 1_000_000 } }),
    deployed,
    sets: createPolicySets(deployed, []),
  };
}

/** One begins every 20 ms, whether the last has answered or not: who is slow is not spared by the clock. */
async function steps(
  database: OpenDatabase,
  deps: DecideDeps,
  seconds: number,
  waits: Waits | null,
): Promise<{ readonly ms: readonly number[]; readonly perSecond: number }> {
  const open: Open[] = [];
  for (let at = 0; at < RUNS; at += 1) open.push(await begin(database, deps, at));
  const measured: Database =
    waits === null
      ? database
      : {
          ...database,
          transaction: (work, options) => database.transaction((sql) => work(timing(sql, waits)), options),
        };
  const inBatch = openStepBatches(measured, deps, console);
  // What is asked for is the workflow's work, and made before the clock starts.
  const next = (run: Open): AskedStep => {
    run.step += 1;
    return { caller: run.caller, request: skillCall(run.run, run.step, 'look') };
  };
  const one = async ({ caller, request }: AskedStep): Promise<void> => {
    const answer =
      (await inBatch({ caller, request })) ??
      (await measured.transaction((sql) => decideStep(sql, deps, caller, request)));
    if (answer.kind !== 'decided' || answer.ruling.effect !== 'allow') throw new Error('a step was not allowed');
  };
  // Warm: connections, plans, policies.
  for (let round = 0; round < 3; round += 1) await Promise.all(open.map((run) => one(next(run))));
  const ms: number[] = [];
  const answers: Promise<void>[] = [];
  const began = performance.now();
  for (let at = 0; at < seconds * PER_SECOND; at += 1) {
    const due = began + (at * 1000) / PER_SECOND;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
    const run = open[at % open.length];
    if (run === undefined) break;
    const asked = next(run);
    const from = performance.now();
    answers.push(one(asked).then(() => void ms.push(performance.now() - from)));
  }
  await Promise.all(answers);
  return { ms, perSecond: ms.length / ((performance.now() - began) / 1000) };
}

async function begin(database: OpenDatabase, deps: DecideDeps, at: number): Promise<Open> {
  const caller = { workflowId: `rok/bench/${at}`, temporalRunId: `bench-${at}` };
  const spec = { tenant: 'bench', agent: 'clerk', input: 'hello', actor: { local: 'alice' } };
  const uuid = await database.transaction((sql) =>
    openRun(sql, deps, caller, {
      spec,
      specText: JSON.stringify(spec),
      identity: identityOf(spec, caller, null, 'governedRun'),
    }),
  );
  return { run: runIdOf(uuid), caller, step: 0 };
}
