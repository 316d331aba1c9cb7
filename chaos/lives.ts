/** Workers that die by kill -9 at random moments and are started again after random pauses. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkerName } from '../src/platform/config/variables.js';
import type { FaultRig } from '../test/faults/rig.js';
import type { Life } from './bound.js';
import type { Random } from './random.js';
import type { Injection } from './scenario.js';

export type Mortal = {
  readonly worker: WorkerName;
  readonly aliveMs: readonly [number, number];
  readonly awayMs: (random: Random) => number;
};
export type Chaos = {
  readonly rig: FaultRig;
  readonly random: Random;
  readonly endMs: number;
  readonly injections: Injection[];
};
/** Where a worker finds what is its own. */
type Surroundings = Chaos & { readonly env: NodeJS.ProcessEnv };

/** Until `endMs`; then it lives on. @returns when it lived */
export async function livesOf(
  mortal: Mortal,
  { rig, random, endMs, injections, env }: Surroundings,
): Promise<readonly Life[]> {
  const lives: Life[] = [];
  const left = (ms: number): number => Math.max(0, Math.min(ms, endMs - Date.now()));
  for (;;) {
    const worker = await rig.worker([mortal.worker], env);
    const fromMs = Date.now();
    await sleep(left(random.between(...mortal.aliveMs)));
    if (Date.now() >= endMs) return [...lives, { fromMs, untilMs: null }];
    const inFlight = await openRuns(rig);
    lives.push({ fromMs, untilMs: Date.now() });
    await worker.kill();
    injections.push({ at: new Date().toISOString(), what: `kill -9 of ${mortal.worker}`, inFlight });
    await sleep(left(mortal.awayMs(random)));
  }
}

export async function openRuns({ stack }: FaultRig): Promise<number> {
  const [row] = await stack.admin.query<{ count: bigint }>(
    `SELECT count(*) FROM decide.runs WHERE phase NOT IN ('COMPLETED', 'FAILED')`,
  );
  return Number(row?.count ?? 0);
}
