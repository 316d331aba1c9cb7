/**
 * The logger of the executing power, as an interface that pino's loggers fit. It never gets prompts, answers or
 * arguments.
 */
export interface ExecuteLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}
