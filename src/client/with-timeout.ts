/** Waits for a promise for a limited time. The work behind the promise goes on. */
import { RokError } from '../domain/errors.js';

/** @throws RokError still_open when there is no answer in time */
export async function within<T>(work: Promise<T>, ms: number, what: string, hint: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new RokError('still_open', `${what} did not end within ${ms / 1000} s`, hint));
    }, ms);
  });
  return Promise.race([work, late]).finally(() => {
    clearTimeout(timer);
  });
}
