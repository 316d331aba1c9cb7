/**
 * Retries statements that must be answered although connections break. Only for statements that are safe to send twice.
 * It tells what certainly did not happen from what may have happened.
 */
export type Answered<T> =
  | { readonly answered: true; readonly value: T }
  /** `certain`: no try can have taken effect. */
  | { readonly answered: false; readonly certain: boolean; readonly error: unknown };

/** The server said no, and said that it rolled back: lock and statement timeouts, serialization, no connections left. */
const TRY_LATER = /^(40|53|55P03|57014)/;
/** The server is going away, or the connection broke: a commit may have been on its way. */
const LOST = /^(08|57P0)/;
const FIRST_WAIT_MS = 100;

export async function tryAgain<T>(
  work: () => Promise<T>,
  options: { readonly tries: number; readonly signal?: AbortSignal },
): Promise<Answered<T>> {
  let certain = true;
  for (let tried = 1; ; tried += 1) {
    try {
      return { answered: true, value: await work() };
    } catch (error) {
      const fate = fateOf(error);
      certain &&= fate !== 'lost';
      if (fate === 'refused' || tried >= options.tries || options.signal?.aborted === true)
        return { answered: false, certain, error };
      await new Promise((resolve) => setTimeout(resolve, FIRST_WAIT_MS * 2 ** (tried - 1)));
    }
  }
}

/** The connection broke: what was sent may have taken effect. */
export const mayHaveHappened = (error: unknown): boolean => fateOf(error) === 'lost';

function fateOf(error: unknown): 'refused' | 'later' | 'lost' {
  const { code } = error as { readonly code?: unknown };
  // The driver's own errors of a broken connection carry no SQLSTATE.
  if (typeof code !== 'string' || !/^[0-9A-Z]{5}$/.test(code) || /^E[A-Z]{4}$/.test(code) || LOST.test(code))
    return 'lost';
  return TRY_LATER.test(code) ? 'later' : 'refused';
}
