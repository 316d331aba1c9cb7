/**
 * One local activity for what goes together anyway: the next decision, and the trace of what was before it. Two would cost a
 * second marker of history and a second turn of the workflow per step; the hands and their logins stay two.
 */
import type { StepAnswer, StepRequest } from './decide.js';
import type { Appended, AppendInput } from './observe.js';

export type RoundInput = {
  readonly step: StepRequest;
  readonly trace: AppendInput;
  /** Where the trace need not be kept first, its failure is not the round's. */
  readonly traceFirst: boolean;
};
/** `head` is null where the trace was not kept. */
export type RoundAnswer = { readonly answer: StepAnswer; readonly head: Appended | null };

export interface RoundActivities {
  'control.round'(input: RoundInput): Promise<RoundAnswer>;
}
