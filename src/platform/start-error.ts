/**
 * Why a process could not start: one line that says what happened, one that says what to do, and the exit code. Not for
 * errors of a run: those are values with a code of their own.
 */
export type StartErrorCode =
  | 'config_invalid'
  | 'postgres_unreachable'
  | 'postgres_refused'
  | 'migration_failed'
  | 'migration_refused'
  | 'temporal_config_invalid'
  | 'temporal_unreachable'
  | 'temporal_namespace_missing'
  | 'temporal_cli_missing'
  | 'local_busy'
  | 'local_folder_closed'
  | 'search_attributes_missing'
  | 'local_server_failed';

/** 1: wrong as asked for; 9: Temporal or PostgreSQL cannot be reached. */
export type StartExitCode = 1 | 9;

export interface StartProblem {
  readonly code: StartErrorCode;
  readonly message: string;
  readonly hint: string;
  readonly exitCode: StartExitCode;
  readonly cause?: unknown;
}

export class StartError extends Error {
  readonly code: StartErrorCode;
  readonly hint: string;
  readonly exitCode: StartExitCode;

  constructor(problem: StartProblem) {
    super(problem.message, problem.cause === undefined ? {} : { cause: problem.cause });
    this.name = 'StartError';
    this.code = problem.code;
    this.hint = problem.hint;
    this.exitCode = problem.exitCode;
  }
}
