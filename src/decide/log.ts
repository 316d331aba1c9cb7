/** Where the deciding power says what failed; a pino logger fits. Never arguments or prompts, which it does not see either. */
export interface DecideLog {
  error(fields: object, message: string): void;
}
