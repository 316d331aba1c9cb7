/** Waiting for something to be so, instead of for time to pass. */
const LOOK_AGAIN_MS = 50;

/**
 * @param look answers null or undefined while it is not yet so
 * @throws Error naming `what` when it is still not so after `withinMs`
 */
export async function until<T>(
  what: string,
  look: () => T | null | undefined | Promise<T | null | undefined>,
  withinMs = 30_000,
): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const seen = await look();
    if (seen !== null && seen !== undefined) return seen;
    if (Date.now() > deadline) throw new Error(`waited ${withinMs} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
}
