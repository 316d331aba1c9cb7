/** The one activity of the observing power: a local one that appends to the trace. */
import { ApplicationFailure, Context } from '@temporalio/activity';
import type { ObserveActivities } from '../domain/protocol/observe.js';
import type { Database } from '../domain/sql.js';
import { encodeEvents } from '../observe/trace-facade.js';
import { openTraceStore } from '../observe/trace-store.js';
import { isRefusedData } from './refused-data.js';

export interface ObserveLog {
  warn(fields: object, message: string): void;
}

export type ObserveActivityDeps = {
  readonly database: Database;
  readonly log: ObserveLog;
  readonly metrics?: { appended(events: number): void };
  /** Aborts the statement when the activity is given up; Temporal's own, unless a test has no Temporal. */
  readonly signal?: () => AbortSignal;
};

/** Closed, unknown, or not what it says: asking again changes nothing. */
const FINAL: Readonly<Record<string, string>> = {
  '55000': 'trace_closed',
  P0002: 'run_unknown',
};

export function createObserveActivities(deps: ObserveActivityDeps): ObserveActivities {
  const append = openTraceStore(deps.database);
  const signal = deps.signal ?? (() => Context.current().cancellationSignal);
  return {
    'observe.append': async ({ run, events }) => {
      const encoded = encodeEvents(events);
      if (!encoded.ok) throw ApplicationFailure.nonRetryable(encoded.problem, 'event_invalid');
      try {
        signal().throwIfAborted();
        // Given up, it may still be done, and appending again is a no-op.
        const head = await append(run, encoded.events);
        deps.metrics?.appended(events.length);
        return head;
      } catch (error) {
        const code = (error as { code?: unknown } | null)?.code;
        const final = isRefusedData(error) ? 'event_invalid' : typeof code === 'string' ? FINAL[code] : undefined;
        const message = error instanceof Error ? error.message : 'unknown error';
        deps.log.warn({ run, events: events.length, code }, `trace append failed: ${message}`);
        if (final !== undefined) throw ApplicationFailure.nonRetryable(message, final);
        throw error;
      }
    },
  };
}
