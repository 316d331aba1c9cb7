/**
 * One transaction on one pooled connection. Deliberately without retries: whoever calls knows whether its key makes a
 * second try safe.
 */
import { createHash } from 'node:crypto';
import type { Pool, PoolClient } from 'pg';
import type { Sql } from '../domain/sql.js';
import { sqlState } from './postgres-error.js';

/** Statements are literals of the code, so there are few; each is parsed and planned once per connection under its name. */
const names = new Map<string, string>();
const MAX_NAMES = 1_000;
const IN_FAILED_TRANSACTION = '25P02';

function nameOf(text: string): string | undefined {
  const known = names.get(text);
  if (known !== undefined || names.size >= MAX_NAMES) return known;
  const name = `rok_${createHash('sha256').update(text).digest('base64url').slice(0, 20)}`;
  names.set(text, name);
  return name;
}

export function sqlOn(client: Pick<PoolClient, 'query'>): Sql {
  return {
    async query<R extends object>(text: string, values: readonly unknown[] = []) {
      // Without values it may be several statements, which have no name.
      const name = values.length === 0 ? undefined : nameOf(text);
      const { rows } = await client.query<R>({ text, values: [...values], ...(name === undefined ? {} : { name }) });
      return rows;
    },
  };
}

export async function inTransaction<T>(
  pool: Pool,
  work: (sql: Sql) => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  signal?.throwIfAborted();
  const client = await pool.connect();
  const aborted = abortion(signal);
  try {
    const result = await Promise.race([run(client, work, () => signal?.aborted === true), aborted.promise]);
    client.release();
    return result;
  } catch (error) {
    if (signal?.aborted === true) destroy(client);
    else await rollBack(client);
    throw error;
  } finally {
    aborted.forget();
  }
}

async function run<T>(client: PoolClient, work: (sql: Sql) => Promise<T>, isAborted: () => boolean): Promise<T> {
  // Pipelined: BEGIN travels with the first statement, which saves a round trip on every transaction.
  const begun = client.query('BEGIN');
  begun.catch(() => undefined);
  const { sql, latest } = noting(sqlOn(client));
  const result = await work(sql);
  if (isAborted()) throw new Error('aborted before commit');
  const committed = client.query('COMMIT');
  committed.catch(() => undefined);
  await begun;
  // A statement that `work` did not wait for fails here.
  await latest();
  const { command } = await committed;
  // PostgreSQL answers ROLLBACK, without an error, when a statement had failed and `work` swallowed that.
  if (command !== 'COMMIT') throw new Error('rolled back: a statement of the transaction had failed');
  return result;
}

/**
 * Statements of one connection are run in order: when the latest is through, all are. After one that failed, all others are
 * refused; who waited only for those is told of the first.
 */
function noting(inner: Sql): { readonly sql: Sql; readonly latest: () => Promise<unknown> } {
  let latest: Promise<unknown> = Promise.resolve();
  let first: unknown;
  const sql: Sql = {
    query(text, values) {
      const asked = inner.query<never>(text, values).catch((error: unknown) => {
        first ??= error;
        throw sqlState(error) === IN_FAILED_TRANSACTION ? first : error;
      });
      // Who does not wait for it hears of it from the commit.
      asked.catch(() => undefined);
      latest = asked;
      return asked;
    },
  };
  return { sql, latest: () => latest };
}

function abortion(signal: AbortSignal | undefined): { readonly promise: Promise<never>; forget(): void } {
  let forget = (): void => undefined;
  const promise = new Promise<never>((_, reject) => {
    if (signal === undefined) return;
    const abort = (): void => {
      reject(signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason)));
    };
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    forget = () => {
      signal.removeEventListener('abort', abort);
    };
  });
  promise.catch(() => undefined);
  return {
    promise,
    forget() {
      forget();
    },
  };
}

/** A pipelined connection would otherwise wait for the answers of what it has sent. The server rolls back. */
function destroy(client: PoolClient): void {
  client.connection.stream.destroy();
  client.release(true);
}

async function rollBack(client: PoolClient): Promise<void> {
  try {
    await client.query('ROLLBACK');
    client.release();
  } catch {
    destroy(client);
  }
}
