/**
 * Pools, one per login. Deliberately knows no table: statements belong to the powers, which get a `Database` handed in.
 */
import pg from 'pg';
import type { Database, Row, Sql } from '../../domain/sql.js';
import { columnTypes } from './column-types.js';
import { limitsOf, looksUpByKey, roleOf, type Login, type LoginLimits } from './login.js';
import { placeOf, sqlState, toStartError } from './postgres-error.js';
import { closePool, connectFrom, distrustIdle } from './silence.js';
import { inTransaction, queryOnce, type Connect } from './transaction.js';

export interface OpenOptions extends Partial<LoginLimits> {
  /** Whose rights to work with; without it, those of the URL's user, without limits: for migrations and tests. */
  readonly login?: Login;
  readonly applicationName: string;
  readonly max?: number;
  readonly connectTimeoutMs?: number;
}

export interface OpenDatabase extends Database {
  readonly login: string;
  /** The URL belongs to another user, who became this login: good for development, refused by STRICT. */
  readonly sharedLogin: boolean;
  /** host:port/database, for messages. */
  readonly place: string;
}

const unlimited: LoginLimits = {
  statementTimeoutMs: 0,
  lockTimeoutMs: 0,
  idleInTransactionTimeoutMs: 0,
  answerTimeoutMs: 0,
};
/** A peer that is gone answers no probe: the kernel ends the connection some ten seconds later. */
const KEEPALIVE_MS = 10_000;

/** Opens a pool and one connection in it, so that a wrong URL, password or login shows now. Throws a StartError (exit 9). */
export async function openDatabase(url: string, options: OpenOptions): Promise<OpenDatabase> {
  const user = decodeURIComponent(new URL(url).username);
  const login = options.login === undefined ? user : roleOf(options.login);
  const sharedLogin = login !== user;
  const pool = new pg.Pool(poolConfig(url, options, sharedLogin ? login : undefined));
  // A connection that breaks while idle or between statements is replaced; the statement that needs it gets the error.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  distrustIdle(pool);
  const close = closePool(pool);
  try {
    await untilStarted(() => pool.query('SELECT'));
  } catch (error) {
    await close();
    throw toStartError(error, url, login);
  }
  return { login, sharedLogin, place: placeOf(url), ...databaseOn(connectFrom(pool), close, undefined) };
}

function databaseOn(connect: Connect, close: () => Promise<void>, until: AbortSignal | undefined): Database {
  const both = (signal: AbortSignal | undefined): AbortSignal | undefined =>
    until === undefined || signal === undefined ? (until ?? signal) : AbortSignal.any([until, signal]);
  return {
    query: <R extends object = Row>(text: string, values?: readonly unknown[]) =>
      queryOnce<R>(connect, text, values, until),
    transaction: <T>(work: (sql: Sql) => Promise<T>, { signal }: { readonly signal?: AbortSignal } = {}) =>
      inTransaction(connect, work, both(signal)),
    until: (signal) => databaseOn(connect, close, both(signal)),
    close,
  };
}

/** The client's patience is above the server's, so that the server says what was wrong; 0 is without end. */
const aboveStatement = ({ statementTimeoutMs, answerTimeoutMs }: LoginLimits): number =>
  statementTimeoutMs === 0 ? 0 : Math.max(answerTimeoutMs, statementTimeoutMs + 500);

function poolConfig(url: string, options: OpenOptions, become: string | undefined): pg.PoolConfig {
  const limits = { ...(options.login === undefined ? unlimited : limitsOf(options.login)), ...options };
  const { statementTimeoutMs, lockTimeoutMs, idleInTransactionTimeoutMs } = limits;
  const answerTimeoutMs = options.answerTimeoutMs ?? aboveStatement(limits);
  const target = new URL(url);
  const given = target.searchParams.get('options');
  // The driver lets the URL's options replace ours: put both into one.
  target.searchParams.delete('options');
  target.searchParams.delete('application_name');
  const settings = {
    TimeZone: 'UTC',
    DateStyle: 'ISO',
    jit: 'off',
    statement_timeout: statementTimeoutMs,
    lock_timeout: lockTimeoutMs,
    idle_in_transaction_session_timeout: idleInTransactionTimeoutMs,
    ...(options.login !== undefined && looksUpByKey(options.login)
      ? { enable_seqscan: 'off', enable_sort: 'off' }
      : {}),
  };
  return {
    connectionString: target.href,
    // Sent in the startup packet: no round trip, and nothing a RESET could undo.
    options: [given ?? '', ...Object.entries(settings).map(([name, value]) => `-c ${name}=${value}`)].join(' ').trim(),
    application_name: options.applicationName,
    types: columnTypes,
    // The pool waits for it, though its types do not say so: a connection that is still the owner's is never handed out.
    ...(become === undefined ? {} : { onConnect: becoming(become) }),
    pipeline: true,
    max: options.max ?? 10,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEPALIVE_MS,
    // Pipelined, a statement that is not answered in time takes its connection with it.
    query_timeout: answerTimeoutMs,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 5_000,
  };
}

/** The superuser's way to another login. `session_user` has to change too, and only this statement does that. */
function becoming(login: string): (client: pg.ClientBase) => unknown {
  return (client) => client.query(`SET SESSION AUTHORIZATION ${pg.escapeIdentifier(login)}`);
}

/**
 * How long the first connection of a process is tried for. On a busy machine one attempt may well take longer than it is given;
 * later, when there is something to go on with, each is given up for the next one.
 */
const START_MS = 15_000;

/** A server in recovery says 57P03 for a moment, and one that is slow to answer says nothing: that is a start, not a failure. */
async function untilStarted(connect: () => Promise<unknown>): Promise<void> {
  const deadline = Date.now() + START_MS;
  for (;;) {
    try {
      await connect();
      return;
    } catch (error) {
      if (!(sqlState(error) === '57P03' || isSilence(error)) || Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** The driver's own words, without a code: `timeout exceeded when trying to connect`, `Query read timeout` and the like. */
function isSilence(error: unknown): boolean {
  return error instanceof Error && sqlState(error) === undefined && /timeout/i.test(error.message);
}
