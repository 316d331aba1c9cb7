/** When a hold is said to end soon. Pure: the timer is the hold's. */

/** Before a hold's deadline; one that is shorter is warned of when it opens. */
const WARNING_MS = 300_000;

/** Milliseconds from now until the warning; 0: now. */
export const untilWarning = (remainingMs: number): number => Math.max(remainingMs - WARNING_MS, 0);
