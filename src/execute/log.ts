/** Where the executing power says what it did; a pino logger fits. Never prompts, answers or arguments. */
export interface ExecuteLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}
