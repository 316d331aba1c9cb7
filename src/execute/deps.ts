/** What the executing power works with, passed in by the worker: it opens no pool and reads no environment. */
import type { Agent } from '../domain/agent.js';
import type { Database } from '../domain/sql.js';
import type { ExecuteLog } from './log.js';
import type { Redeem } from './calls/redeems.js';
import type { Registry } from './registry.js';

/** Where a test may end the process, to see what the rest makes of it. */
export type CrashPoint =
  | 'redeem.before'
  | 'redeem.after'
  | 'call.before'
  | 'call.after'
  | 'result.before'
  | 'result.after'
  | 'close_out.evaluated';

export type ExecuteDeps = {
  /** Of the login `rok_execute`. */
  readonly database: Database;
  /** Through the same login; made once, because what comes at once is redeemed together. */
  readonly redeem: Redeem;
  readonly registry: Registry;
  readonly agents: ReadonlyMap<string, Agent>;
  readonly log: ExecuteLog;
  readonly crashAt?: (point: CrashPoint) => void;
};

/** A call while it is in flight: told to stop, and telling that it lives. */
export type InFlight = { readonly signal: AbortSignal; heartbeat(): void };
