/**
 * One local activity for what goes together anyway: the next decision and the trace of what was before it, the end of the
 * trace and `finalize_run`. Two would cost a second marker of history and a second turn of the workflow; the hands and their
 * logins stay two.
 */
import type { FinalizeAnswer, LatchRequest, StepAnswer, StepRequest } from './decide.js';
import type { Appended, AppendInput } from './observe.js';

export type DecideAndAppend = {
  readonly step: StepRequest;
  readonly trace: AppendInput;
  /** Where the trace need not be kept first, its failure is not the round's. */
  readonly traceFirst: boolean;
};
/** `head` is null where the trace was not kept. */
export type DecidedAndAppended = { readonly answer: StepAnswer; readonly head: Appended | null };

export type FinishInput = { readonly trace: AppendInput; readonly end: LatchRequest };
export type FinishAnswer = { readonly head: Appended; readonly final: FinalizeAnswer };

export interface ControlActivities {
  'control.decideAndAppend'(input: DecideAndAppend): Promise<DecidedAndAppended>;
  /** The trace's last events, and then `decide.finalize`. */
  'control.finish'(input: FinishInput): Promise<FinishAnswer>;
}
