/** Connections to PostgreSQL that fall silent at random moments; whoever connects anew is served. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Login } from '../src/platform/postgres/login.js';
import type { FaultRig } from '../test/faults/rig.js';
import { startFreezingProxy, type FreezingProxy } from '../test/stack/freezing-proxy.js';
import type { Life } from './bound.js';
import { openRuns, type Chaos, type Mortal } from './lives.js';

const LOGINS: Readonly<Record<Mortal['worker'], readonly Login[]>> = {
  control: ['decide', 'observe'],
  execute: ['execute'],
  audit: ['audit'],
  http: [],
};
/** The server would otherwise keep a backend for each for ever, and has a hundred. */
const FORGOTTEN_MS = 20_000;

export type Freezable = { readonly proxy: FreezingProxy; readonly env: NodeJS.ProcessEnv };

/** A way to PostgreSQL of a worker's own. */
export async function freezable({ stack }: FaultRig, worker: Mortal['worker']): Promise<Freezable> {
  const { hostname: host, port } = new URL(stack.adminUrl);
  const proxy = await startFreezingProxy({ host, port: Number(port), endFrozenAfterMs: FORGOTTEN_MS });
  const urls = LOGINS[worker].map((login) => [
    `ROK_DATABASE_URL_${login.toUpperCase()}`,
    proxy.through(stack.urls[login]),
  ]);
  return { proxy, env: Object.fromEntries(urls) as NodeJS.ProcessEnv };
}

/** Until `endMs`. @returns when something was frozen */
export async function freezesOf(
  worker: Mortal['worker'],
  proxy: FreezingProxy,
  { rig, random, endMs, injections }: Chaos,
): Promise<readonly number[]> {
  const times: number[] = [];
  for (;;) {
    await sleep(Math.max(0, Math.min(random.between(5_000, 15_000), endMs - Date.now())));
    if (Date.now() >= endMs) return times;
    const inFlight = await openRuns(rig);
    if (proxy.freeze() === 0) continue;
    times.push(Date.now());
    injections.push({ at: new Date().toISOString(), what: `frozen connections of ${worker}`, inFlight });
  }
}

/**
 * A sweep that a freeze met may be stuck; the next begins when it is late. So a life is none for that long.
 * @param lateMs after how long a sweep is left behind
 */
export const livesWithout = (lives: readonly Life[], freezes: readonly number[], lateMs: number): readonly Life[] =>
  freezes.reduce<readonly Life[]>(
    (left, atMs) =>
      left.flatMap((life) => {
        const untilMs = life.untilMs ?? Infinity;
        if (atMs <= life.fromMs || atMs >= untilMs) return [life];
        const before = { fromMs: life.fromMs, untilMs: atMs };
        return atMs + lateMs < untilMs ? [before, { fromMs: atMs + lateMs, untilMs: life.untilMs }] : [before];
      }),
    lives,
  );
