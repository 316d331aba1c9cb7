/** Computes when to warn that a hold ends soon. Pure: holds.ts has the timer. */

/** Before a hold's deadline; one that is shorter is warned of when it opens. */
const WARNING_MS = 300_000;

/** Milliseconds from now until the warning; 0: now. */
export const untilWarning = (remainingMs: number): number => Math.max(remainingMs - WARNING_MS, 0);
