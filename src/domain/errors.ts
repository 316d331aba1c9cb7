/**
 * The one table of error codes: what a caller can act on, and the CLI's exit code for it. docs/errors.md has the same
 * table; a test keeps the two equal.
 */
export const ERRORS = {
  usage: { exit: 2, says: 'the command was not understood' },
  spec_invalid: { exit: 2, says: 'the spec does not parse; every problem is listed' },
  message_invalid: { exit: 2, says: 'the message is not of the form that the run takes' },
  config_invalid: { exit: 1, says: 'the environment or a file of the configuration is wrong' },
  policy_invalid: { exit: 1, says: 'a policy set is not fit to be loaded or published' },
  policy_unknown: { exit: 3, says: 'no such policy set is stored' },
  policy_test_failed: { exit: 7, says: "a test of the policy set's own failed" },
  agent_unknown: { exit: 3, says: 'no agent of that name is configured' },
  run_unknown: { exit: 3, says: 'no run of that id' },
  chain_unknown: { exit: 3, says: 'no receipts of that tenant are seen' },
  decision_unknown: { exit: 3, says: 'the run has no such decision' },
  hold_unknown: { exit: 3, says: 'the run has no such pending hold' },
  actor_refused: { exit: 4, says: 'the actor may not do this' },
  id_conflict: { exit: 4, says: 'the id belongs to a run that was asked for otherwise' },
  assertion_invalid: { exit: 4, says: 'the assertion is malformed, expired, used, or for something else' },
  not_this_history: { exit: 4, says: 'another workflow execution is the history of this run' },
  run_closed: { exit: 5, says: 'the run admits nothing more' },
  run_not_succeeded: { exit: 5, says: 'the run ended other than succeeded' },
  evidence_bad: { exit: 6, says: 'the verdict is not COMPLETE, or verification failed' },
  still_open: { exit: 8, says: 'not finished within the time given' },
  postgres_unreachable: { exit: 9, says: 'PostgreSQL does not answer' },
  temporal_unreachable: { exit: 9, says: 'Temporal does not answer' },
  warrant_refused: { exit: 1, says: 'the warrant was not redeemed; nothing was called' },
  never_started: { exit: 1, says: 'no worker took the step in time; nothing was called' },
  content_missing: { exit: 1, says: 'stored content was deleted or never written' },
  content_changed: { exit: 1, says: 'stored content does not have the digest it is named by' },
  model_unknown: { exit: 1, says: 'no provider serves that model' },
  skill_unknown: { exit: 1, says: 'no skill of that name and version is registered' },
  provider_refused: { exit: 1, says: 'the provider refused the call before charging for it' },
  provider_rate_limited: { exit: 1, says: 'the provider asked to wait' },
  provider_unreachable: { exit: 1, says: 'the provider refused the connection before a byte was sent' },
  skill_failed: { exit: 1, says: 'the skill reported that it did nothing' },
  arguments_invalid: { exit: 1, says: 'the arguments do not fit the skill' },
} as const satisfies Record<string, { readonly exit: number; readonly says: string }>;

export type ErrorCode = keyof typeof ERRORS;

/** An exception with a code of the table; everything thrown across a boundary is one. */
export class RokError extends Error {
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly hint?: string,
  ) {
    super(message);
    this.name = 'RokError';
  }
}
