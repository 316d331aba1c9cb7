/**
 * How the scripts speak: progress and failures go to stderr, for stdout is data (`npm start -- --json` ends in one JSON
 * line). Deliberately no log levels and no colours.
 */

/** A failure that the reader can act on: what happened, and what to do. */
export class SetupError extends Error {
  /** @param {string} message @param {string} hint */
  constructor(message, hint) {
    super(message);
    this.hint = hint;
  }
}

/** @param {string} line */
export function say(line) {
  process.stderr.write(`rok: ${line}\n`);
}

/** @param {unknown} error */
export function sayFailure(error) {
  if (error instanceof SetupError) {
    say(error.message);
    say(`what to do: ${error.hint}`);
    return;
  }
  say(error instanceof Error ? (error.stack ?? error.message) : String(error));
}
