/**
 * The liveness bound under random kill -9 of any worker, connections that fall silent and floods of wrong messages: runs whose
 * due times fall into the harm, every one of them judged in time. The control worker is sometimes away for longer than a run may take, so that many cannot end themselves.
 */
import { createOwnStack } from '../test/stack/stack.js';
import { createFaultRig, type FaultRig } from '../test/faults/rig.js';
import { delaysOf, histogramOf, type Judged, type Life } from './bound.js';
import { floods } from './floods.js';
import { freezable, freezesOf, livesWithout } from './freezes.js';
import { healed } from './healing.js';
import { invariants } from './invariants.js';
import { livesOf, type Mortal } from './lives.js';
import { SLOW_CONVERSATION, startLoad, TENANT } from './load.js';
import { randomFrom } from './random.js';
import type { Answer, Asked, Goal, Injection } from './scenario.js';

/** As test/faults/worker-process.ts starts the audit worker. */
const SWEEP_MS = 1_000;
/** What a busy machine takes to look, beside the waiting. */
const BUSY_MS = 2_000;
/** As src/audit/judge/standing-judge.ts leaves a sweep behind. */
const LATE_MS = 10_000;
const RUN_MS = 12_000;
const GRACE_MS = 6_000;
const HEALING_MS = 300_000;
const LONGEST_AWAY_MS = 24_000;

const MORTALS: readonly Mortal[] = [
  {
    worker: 'control',
    aliveMs: [6_000, 14_000],
    awayMs: (random) => (random.chance(0.6) ? random.between(16_000, LONGEST_AWAY_MS) : random.between(500, 3_000)),
  },
  { worker: 'execute', aliveMs: [8_000, 20_000], awayMs: (random) => random.between(500, 4_000) },
  { worker: 'audit', aliveMs: [5_000, 15_000], awayMs: (random) => random.between(500, 6_000) },
];

export async function liveness({ seed, minutes, runs }: Asked): Promise<Answer> {
  const random = randomFrom(seed);
  const injections: Injection[] = [];
  const rig = await createFaultRig(SLOW_CONVERSATION, () => createOwnStack({ temporal: true, durable: true }));
  const ways = await Promise.all(MORTALS.map(({ worker }) => freezable(rig, worker)));
  try {
    await rig.terms(TENANT, `${RUN_MS} milliseconds`, `${GRACE_MS} milliseconds`);
    const endMs = Date.now() + minutes * 60_000;
    // A run that is accepted while nobody takes it is opened, and due, when somebody is back.
    const everyMs = Math.max(0, (minutes * 60_000 - RUN_MS - GRACE_MS - LONGEST_AWAY_MS) / runs);
    const chaos = () => ({ rig, random: random.fork(), endMs, injections });
    const [accepted, lives, freezes] = await Promise.all([
      startLoad(rig, random.fork(), { runs, everyMs }),
      Promise.all(MORTALS.map((mortal, at) => livesOf(mortal, { ...chaos(), env: ways[at]?.env ?? {} }))),
      Promise.all(ways.map(({ proxy }, at) => freezesOf(MORTALS[at]?.worker ?? 'control', proxy, chaos()))),
      floods(chaos()),
    ]);
    await healed(rig, accepted.length, HEALING_MS);
    const at = MORTALS.findIndex(({ worker }) => worker === 'audit');
    const audit = livesWithout(lives[at] ?? [], freezes[at] ?? [], LATE_MS);
    return await answered(rig, { accepted, audit, endMs, runs, injections });
  } finally {
    await rig.close();
    await Promise.all(ways.map(({ proxy }) => proxy.close()));
  }
}

type Seen = {
  readonly accepted: readonly string[];
  readonly audit: readonly Life[];
  readonly endMs: number;
  readonly runs: number;
  readonly injections: readonly Injection[];
};

async function answered(rig: FaultRig, { accepted, audit, endMs, runs, injections }: Seen): Promise<Answer> {
  const judged = await firstVerdicts(rig);
  const delays = delaysOf(judged, audit, SWEEP_MS);
  const status = await statuses(rig);
  const latest = Math.max(...delays.map(({ afterBoundMs }) => afterBoundMs));
  const inWindow = judged.filter(({ dueMs }) => dueMs < endMs).length;
  const atLeast = (name: string, least: number, seen: number): Goal => ({
    name: `at least ${least} ${name}`,
    held: seen >= least,
    seen: String(seen),
  });
  return {
    injections,
    figures: {
      runs: accepted.length,
      due_in_the_killing: inWindow,
      ...Object.fromEntries(['COMPLETE', 'INCOMPLETE', 'STALE'].map((name) => [name, status.get(name) ?? 0])),
      judged_after_due: delays.filter(({ afterDueMs }) => afterDueMs > 0).length,
      latest_after_due_ms: Math.max(...delays.map(({ afterDueMs }) => afterDueMs)),
      latest_after_bound_ms: latest,
    },
    notes: ['first verdict, against finalize_due:', ...histogramOf(delays.map(({ afterDueMs }) => afterDueMs))],
    goals: [
      {
        name: `every run is judged within one sweep (${SWEEP_MS} ms, and ${BUSY_MS} for a busy machine) of the bound`,
        held: delays.length === accepted.length && latest <= BUSY_MS,
        seen: `latest ${Math.round(latest)} ms after it`,
      },
      atLeast('COMPLETE', Math.floor(runs / 5), status.get('COMPLETE') ?? 0),
      atLeast('STALE', Math.floor(runs / 10), status.get('STALE') ?? 0),
      atLeast('due in the killing', Math.floor(runs * 0.8), inWindow),
      ...(await invariants(rig, accepted)),
    ],
  };
}

const firstVerdicts = ({ stack }: FaultRig): Promise<readonly Judged[]> =>
  stack.admin.query<Judged>(
    `SELECT v.run_id AS run, (extract(epoch FROM c.finalize_due) * 1000)::float8 AS "dueMs",
      (extract(epoch FROM v.judged_at) * 1000)::float8 AS "judgedMs"
    FROM audit.verdicts v JOIN audit.contracts c USING (run_id) WHERE v.revision = 1`,
  );

async function statuses({ stack }: FaultRig): Promise<ReadonlyMap<string, number>> {
  const rows = await stack.admin.query<{ status: string; count: bigint }>(
    'SELECT status, count(*) FROM audit.v_verdicts GROUP BY status',
  );
  return new Map(rows.map(({ status, count }) => [status, Number(count)]));
}
