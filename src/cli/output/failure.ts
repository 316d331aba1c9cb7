/** How a command fails: one line of what happened, one of what to do, and the exit code. No stack unless asked for. */
import { CommanderError } from 'commander';
import { ERRORS, RokError } from '../../domain/errors.js';
import { StartError } from '../../platform/start-error.js';

/** Ends the command with this code; what there is to say was said. */
export class Ended extends Error {
  constructor(readonly exitCode: number) {
    super(`exit ${exitCode}`);
    this.name = 'Ended';
  }
}

export type Failure = { readonly exitCode: number; readonly code: string; readonly lines: readonly string[] };

export function failureOf(error: unknown, verbose: boolean): Failure {
  const stack = verbose && error instanceof Error && error.stack !== undefined ? [error.stack] : [];
  if (error instanceof Ended) return { exitCode: error.exitCode, code: 'ended', lines: [] };
  // Commander has said what it is; `--help` and `--version` are no failures.
  if (error instanceof CommanderError) return { exitCode: error.exitCode === 0 ? 0 : 2, code: 'usage', lines: [] };
  if (error instanceof RokError)
    return {
      exitCode: ERRORS[error.code].exit,
      code: error.code,
      lines: [error.message, error.hint ?? ERRORS[error.code].says, ...stack],
    };
  if (error instanceof StartError)
    return { exitCode: error.exitCode, code: error.code, lines: [error.message, error.hint, ...stack] };
  const message = error instanceof Error ? error.message : String(error);
  return {
    exitCode: 1,
    code: 'failed',
    lines: [message, ...(verbose ? stack : ['run it again with `--verbose` for the stack'])],
  };
}
