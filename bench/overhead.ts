/**
 * What governance costs: a run of ten steps with a model of 0 ms, governed, against the same steps as bare Temporal
 * activities. One stack, durable as `npm start` has it; the two are interleaved, so that a slow minute is slow for both.
 */
import type { Client } from '@temporalio/client';
import { createOwnStack, type Stack } from '../test/stack/stack.js';
import { connectTemporal, temporalSettings } from '../src/platform/temporal/temporal.js';
import { connectTemporalNative } from '../src/platform/temporal/temporal-worker.js';
import type { governedRun } from '../src/workflows/governed-run.js';
import { BARE_QUEUES, startBare } from './bare.js';
import type { BarePlan, bareRun, StepSize } from './bare-workflow.js';
import { percentile, type Benchmark } from './figures.js';
import { AGENT, startGoverned, STEPS, TURNS } from './governed.js';
import { openProfile } from './statements.js';
import { timelineOf } from './timeline.js';

type OverheadOptions = { readonly runs: number; readonly profile: boolean };

const WARM_UP = 40;
const IN_FLIGHT = 20;
const BLOCKS = 3;
const PER_BLOCK = 40;

type Run = () => Promise<string>;
type Kinds = { readonly governed: Run; readonly bare: Run };
type Cost = { readonly events: number; readonly bytes: number };

export async function overhead({
  runs = 40,
  profile,
}: Partial<OverheadOptions> & { readonly profile: boolean }): Promise<Benchmark> {
  const stack = await createOwnStack({ temporal: true, durable: true });
  try {
    const settings = temporalSettings({ TEMPORAL_ADDRESS: stack.temporalAddress, TEMPORAL_NAMESPACE: stack.namespace });
    const [joined, connection] = await Promise.all([connectTemporal(settings), connectTemporalNative(settings)]);
    const governed = await startGoverned(stack, settings);
    const bare = await startBare(connection, settings.namespace);
    try {
      return await measure(stack, joined.client, { runs, profile });
    } finally {
      await Promise.all([governed.stop(), bare.stop()]);
      await Promise.all([joined.close(), connection.close()]);
    }
  } finally {
    await stack.drop();
  }
}

async function measure(stack: Stack, client: Client, { runs, profile }: OverheadOptions): Promise<Benchmark> {
  let n = 0;
  const governed: Run = async () => {
    const workflowId = `rok/bench/${(n += 1)}`;
    const result = await client.workflow.execute<typeof governedRun>('governedRun', {
      taskQueue: 'rok-control',
      workflowId,
      args: [{ tenant: 'bench', agent: AGENT, input: 'Do the ten steps.', actor: { local: 'bench' } }],
    });
    if (result.attempts !== STEPS || result.verdict !== 'COMPLETE')
      throw new Error(`a governed run went wrong: ${JSON.stringify(result)}`);
    return workflowId;
  };
  const plan = await planOf(client, await governed());
  const bare: Run = async () => {
    const workflowId = `bare/${(n += 1)}`;
    await client.workflow.execute<typeof bareRun>('bareRun', {
      taskQueue: BARE_QUEUES.workflows,
      workflowId,
      args: [plan],
    });
    return workflowId;
  };
  const kinds: Kinds = { governed, bare };
  for (let at = 0; at < WARM_UP; at += 1) await pair(kinds);
  const latency = await latencies(kinds, runs);
  const rate = await rates(kinds);
  const cost = { governed: await costOf(client, await governed()), bare: await costOf(client, await bare()) };
  const notes = [...(await gaps(stack)), ...(profile ? await profiled(client, kinds) : [])];
  return report(runs, { latency, rate, cost }, notes);
}

/** Both, the one that goes first taking turns. */
async function pair({ governed, bare }: Kinds, bareFirst = false): Promise<{ governed: number; bare: number }> {
  const timed = async (run: Run): Promise<number> => {
    const began = performance.now();
    await run();
    return performance.now() - began;
  };
  if (!bareFirst) return { governed: await timed(governed), bare: await timed(bare) };
  const first = await timed(bare);
  return { governed: await timed(governed), bare: first };
}

async function latencies(kinds: Kinds, runs: number) {
  const pairs = [];
  for (let at = 0; at < runs; at += 1) pairs.push(await pair(kinds, at % 2 === 1));
  return { governed: pairs.map((one) => one.governed), bare: pairs.map((one) => one.bare) };
}

type Rate = { readonly perSecond: number; readonly cpuMs: number };

/** Runs a second with `IN_FLIGHT` at once, in blocks that take turns; and this process's CPU time for each of them. */
async function rates({ governed, bare }: Kinds) {
  const blocks: { governed: Rate; bare: Rate }[] = [];
  for (let block = 0; block < BLOCKS; block += 1)
    blocks.push({ governed: await blockOf(governed), bare: await blockOf(bare) });
  return { governed: meanOf(blocks.map((one) => one.governed)), bare: meanOf(blocks.map((one) => one.bare)) };
}

/** Blocks are of one length, so the mean time of a run is the mean of theirs. */
const meanOf = (blocks: readonly Rate[]): Rate => ({
  perSecond: blocks.length / blocks.reduce((sum, { perSecond }) => sum + 1 / perSecond, 0),
  cpuMs: blocks.reduce((sum, { cpuMs }) => sum + cpuMs, 0) / blocks.length,
});

async function blockOf(run: Run): Promise<Rate> {
  let left = PER_BLOCK;
  const [began, cpu] = [performance.now(), process.cpuUsage()];
  const lane = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await run();
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  const { user, system } = process.cpuUsage(cpu);
  return { perSecond: (PER_BLOCK * 1000) / (performance.now() - began), cpuMs: (user + system) / 1000 / PER_BLOCK };
}

async function costOf(client: Client, workflowId: string): Promise<Cost> {
  const { historyLength, historySize } = await client.workflow.getHandle(workflowId).describe();
  return { events: historyLength, bytes: historySize ?? NaN };
}

/** The sizes that a governed run's steps had in its history. */
async function planOf(client: Client, workflowId: string): Promise<BarePlan> {
  const { events } = await client.workflow.getHandle(workflowId).fetchHistory();
  const scheduled = new Map<string, number>();
  const sizes: StepSize[] = [];
  const length = (
    payloads: { readonly payloads?: readonly { readonly data?: Uint8Array | null }[] | null } | null | undefined,
  ): number => (payloads?.payloads ?? []).reduce((sum, { data }) => sum + (data?.length ?? 0), 0);
  for (const event of events ?? []) {
    const { activityTaskScheduledEventAttributes: start, activityTaskCompletedEventAttributes: end } = event;
    if (start?.activityType?.name === 'execute.step') scheduled.set(String(event.eventId), length(start.input));
    const input = scheduled.get(String(end?.scheduledEventId));
    if (end !== null && end !== undefined && input !== undefined) sizes.push({ input, output: length(end.result) });
  }
  if (sizes.length !== STEPS) throw new Error(`a governed run had ${sizes.length} steps, expected ${STEPS}`);
  const next = (): StepSize => sizes.shift() ?? { input: 0, output: 0 };
  const turns = TURNS.map((skills) => ({ model: next(), skills: Array.from({ length: skills }, next) }));
  return { taskQueue: BARE_QUEUES.steps, turns };
}

/** From the rows: what a step of the runs so far waited for, one at a time and twenty at once alike. */
async function gaps({ admin }: Stack): Promise<readonly string[]> {
  const [row] = await admin.query<{ redeem: number; call: number; next: number }>(
    `WITH steps AS (
       SELECT t.run_id, d.decided_at, w.redeemed_at, r.finished_at, lead(d.decided_at) OVER (PARTITION BY d.run_id ORDER BY d.step) AS next_at
       FROM execute.attempts t JOIN decide.decisions d USING (run_id, step, attempt)
       JOIN decide.v_reservations w USING (run_id, step, attempt) JOIN execute.results r USING (run_id, step, attempt))
     SELECT (percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM redeemed_at - decided_at)) * 1000)::float8 AS redeem,
       (percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM finished_at - redeemed_at)) * 1000)::float8 AS call,
       (percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM next_at - finished_at)) * 1000)::float8 AS next FROM steps`,
  );
  return [
    `median of a step, ms: decided to redeemed ${(row?.redeem ?? NaN).toFixed(1)}, redeemed to result ${(row?.call ?? NaN).toFixed(1)}, result to next decision ${(row?.next ?? NaN).toFixed(1)}`,
  ];
}

async function profiled(client: Client, { governed, bare }: Kinds): Promise<readonly string[]> {
  const timelines = [...(await timelineOf(client, await governed())), ...(await timelineOf(client, await bare()))];
  const runs = 20;
  const profile = openProfile();
  const began = performance.now();
  try {
    for (let at = 0; at < runs; at += 1) await governed();
  } finally {
    profile.close();
  }
  const each = ((performance.now() - began) / runs).toFixed(0);
  return [...timelines, `profile of ${runs} runs, ${each} ms each:`, ...profile.lines(runs)];
}

type Measured = {
  readonly latency: { readonly governed: readonly number[]; readonly bare: readonly number[] };
  readonly rate: { readonly governed: Rate; readonly bare: Rate };
  readonly cost: { readonly governed: Cost; readonly bare: Cost };
};

function report(runs: number, { latency, rate, cost }: Measured, notes: readonly string[]): Benchmark {
  const p50 = { governed: percentile(latency.governed, 0.5), bare: percentile(latency.bare, 0.5) };
  return {
    name: 'overhead',
    settings: { steps: STEPS, runs, inFlight: IN_FLIGHT, throughputRuns: BLOCKS * PER_BLOCK, fsync: 'on' },
    figures: [
      { name: 'p50_governed_ms', value: p50.governed, unit: 'ms' },
      { name: 'p50_bare_ms', value: p50.bare, unit: 'ms' },
      { name: 'p50_ratio', value: p50.governed / p50.bare, unit: '×', atMost: 1.8, design: '<= 1.4' },
      { name: 'p95_ratio', value: percentile(latency.governed, 0.95) / percentile(latency.bare, 0.95), unit: '×' },
      { name: 'governed_runs_per_s', value: rate.governed.perSecond, unit: '/s' },
      { name: 'bare_runs_per_s', value: rate.bare.perSecond, unit: '/s' },
      { name: 'throughput_ratio', value: rate.governed.perSecond / rate.bare.perSecond, unit: '×', design: '>= 0.7' },
      { name: 'node_cpu_governed_ms', value: rate.governed.cpuMs, unit: 'ms' },
      { name: 'node_cpu_bare_ms', value: rate.bare.cpuMs, unit: 'ms' },
      { name: 'events_governed', value: cost.governed.events, unit: '' },
      { name: 'events_ratio', value: cost.governed.events / cost.bare.events, unit: '×', design: '<= 1.6' },
      { name: 'history_bytes_per_step', value: cost.governed.bytes / STEPS, unit: 'B', design: '<= 3072' },
      { name: 'bare_history_bytes_per_step', value: cost.bare.bytes / STEPS, unit: 'B' },
    ],
    notes,
  };
}
