/**
 * Errors with which the database refuses data (SQLSTATE class 22: data, 23: constraints). The database would refuse the
 * same data again, so they are not retried: a local activity that retries for ever would block its run.
 */
import { ApplicationFailure } from '@temporalio/activity';

const OF_DATA = /^2[23][0-9A-Z]{3}$/;
const UNIQUE = '23505';

const stateOf = (error: unknown): string | null => {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && OF_DATA.test(code) ? code : null;
};

export const isRefusedData = (error: unknown): boolean => stateOf(error) !== null;

/** Two of the same key at once: the second finds the first when it looks again. */
export const isRace = (error: unknown): boolean => stateOf(error) === UNIQUE;

/** What the database refused for good; any other error as it is. Says the state alone: the message may quote what was sent. */
export function asRefusal(error: unknown): unknown {
  const state = stateOf(error);
  return state === null
    ? error
    : ApplicationFailure.nonRetryable(`the database does not take what was said (${state})`, 'message_invalid');
}
