/**
 * Why a call that a model asked for was refused before the deciding power saw it. docs/reasons.md has the same table; a
 * test keeps the two equal.
 */
export const CALL_REFUSALS = {
  arguments_not_json: 'the arguments are not JSON',
  arguments_too_long: 'the arguments are longer than 65,536 bytes',
  arguments_do_not_fit: 'the arguments do not fit the input of the skill',
  arguments_inexact: 'the arguments have no exact form: a fraction, a number beyond 2^53, half a character, too deep',
  too_many_calls: 'the answer asked for more than 64 calls; one event for all of the rest',
  run_ended: 'the run ended before this call was decided',
} as const;
export type CallRefusal = keyof typeof CALL_REFUSALS;
