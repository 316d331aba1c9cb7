/**
 * The logger of the deciding power, as an interface that pino's loggers fit. It never gets arguments or prompts, which
 * this power does not see.
 */
export interface DecideLog {
  error(fields: object, message: string): void;
}
