/**
 * The protocol of combined local activities: the next decision with the trace of what came before, and the end of the
 * trace with `finalize_run`. Separate activities would cost another marker in history and another turn of the workflow.
 * Each power still acts under its own login.
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
