/** The logger of the auditing power, as an interface that pino's loggers fit. A log is not evidence. */
export interface AuditLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** What it counts; dropped at will. */
export interface AuditMeasure {
  judged(status: string, count: number): void;
  overdue(count: number): void;
  /** Runs that could not be judged, tried again by themselves. */
  setAside(count: number): void;
  /** Acts whose assertion waits for a key set. */
  approvalsUncheckable(count: number): void;
  /** Verdicts that are not signed, because their rows do not come to them. */
  notBorneOut(count: number): void;
  reconciled(at: Date): void;
}
