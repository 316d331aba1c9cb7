/**
 * The liveness bound: a run is judged by `finalize_due` plus one sweep while an audit worker lives, or that long after one
 * is back. Pure; what it measures against is when the audit worker lived.
 */
export type Life = {
  readonly fromMs: number;
  /** Null: to the end. */
  readonly untilMs: number | null;
};
export type Judged = { readonly run: string; readonly dueMs: number; readonly judgedMs: number };
export type Delay = {
  readonly run: string;
  /** After `finalize_due`; negative: judged at the run's own end, or before it was due. */
  readonly afterDueMs: number;
  /** After the moment from which one sweep was enough: due, with an audit worker alive for a whole sweep. */
  readonly afterBoundMs: number;
};

/** @param sweepMs how often the judge looks, and so how long it must live to have looked */
export const delaysOf = (judged: readonly Judged[], lives: readonly Life[], sweepMs: number): readonly Delay[] =>
  judged.map(({ run, dueMs, judgedMs }) => ({
    run,
    afterDueMs: judgedMs - dueMs,
    afterBoundMs: judgedMs - boundOf(dueMs, lives, sweepMs),
  }));

/** `finalize_due` or the audit worker's return, plus one sweep. A life that ends within the sweep is none. */
export function boundOf(dueMs: number, lives: readonly Life[], sweepMs: number): number {
  for (const { fromMs, untilMs } of lives) {
    const bound = Math.max(dueMs, fromMs) + sweepMs;
    if (untilMs === null || bound <= untilMs) return bound;
  }
  return Number.POSITIVE_INFINITY;
}

const EDGES_MS = [0, 250, 500, 1_000, 2_000, 5_000, 10_000, 20_000] as const;

/** How many delays lie before each edge and after the one before; the last line holds the rest. */
export function histogramOf(delaysMs: readonly number[]): readonly string[] {
  const widest = 50;
  const within = (from: number, to: number): number => delaysMs.filter((ms) => ms >= from && ms < to).length;
  const lines = [Number.NEGATIVE_INFINITY, ...EDGES_MS].map((from, at) => {
    const to = EDGES_MS[at] ?? Number.POSITIVE_INFINITY;
    const label = from < 0 ? 'before it was due' : `${from / 1000} to ${to === Infinity ? '…' : to / 1000} s after`;
    return { label, count: within(from, to) };
  });
  const most = Math.max(1, ...lines.map(({ count }) => count));
  return lines.map(
    ({ label, count }) =>
      `${label.padEnd(20)} ${String(count).padStart(5)} ${'#'.repeat(Math.ceil((count / most) * widest))}`,
  );
}
