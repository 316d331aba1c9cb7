/**
 * JSON lines on stderr by pino, secrets taken out. Deliberately not evidence: a log may be lost, the trace may not.
 */
import { pino, type Logger } from 'pino';
import { redactLine } from './redaction.js';
import type { LogLevel } from './config/variables.js';

export type { Logger } from 'pino';

export interface LineSink {
  write(line: string): unknown;
}

export interface LoggerOptions {
  readonly level: LogLevel;
  /** stderr, unless a test reads along. */
  readonly sink?: LineSink;
}

export function createLogger({ level, sink = process.stderr }: LoggerOptions): Logger {
  return pino(
    {
      level,
      base: { pid: process.pid },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => sink.write(redactLine(line)) },
  );
}

export interface RunBinding {
  readonly run: string;
  readonly tenant: string;
  readonly step?: number;
}

/** The same logger, each of whose lines says which run it is about. */
export function bindRun(logger: Logger, binding: RunBinding): Logger {
  return logger.child({ ...binding });
}
