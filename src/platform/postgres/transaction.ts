/**
 * Runs statements and transactions on one pooled connection, which is discarded when a signal aborts them. No retries:
 * only the caller knows whether its key makes a second try safe.
 */
import { createHash } from 'node:crypto';
import pg from 'pg';
import type { Sql } from '../../domain/sql.js';
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

/** @param failed told at once, before any promise is: a value that cannot be sent fails while the statement is given */
function sqlOn(client: Pick<pg.PoolClient, 'query'>, failed: (error: Error) => void = () => undefined): Sql {
  return {
    query<R extends object>(text: string, values: readonly unknown[] = []) {
      // Without values it may be several statements, which have no name.
      const name = values.length === 0 ? undefined : nameOf(text);
      return new Promise<readonly R[]>((resolve, reject) => {
        client.query<R>(
          { text, values: [...values], ...(name === undefined ? {} : { name }) },
          // The driver's types say that there always is a result.
          (error: Error | null | undefined, result) => {
            if (error === null || error === undefined) {
              resolve(result.rows);
              return;
            }
            failed(error);
            reject(error);
          },
        );
      }).catch((error: unknown) => {
        // The driver's own leads to its socket; this one leads to who asked.
        if (error instanceof Error) Error.captureStackTrace(error);
        throw error;
      });
    },
  };
}

/** A connection of the pool, for as long as one works with it. */
export type Connect = () => Promise<pg.PoolClient>;

/** One statement by itself. */
export const queryOnce = <R extends object>(
  connect: Connect,
  text: string,
  values: readonly unknown[] | undefined,
  signal: AbortSignal | undefined,
): Promise<readonly R[]> =>
  onConnection(
    connect,
    signal,
    (client) => sqlOn(client).query<R>(text, values),
    (client, error) => {
      client.release(error instanceof Error ? error : true);
    },
  );

export function inTransaction<T>(
  connect: Connect,
  work: (sql: Sql) => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  let unsent: Noting['unsent'] = () => undefined;
  return onConnection(
    connect,
    signal,
    (client) => {
      const noted = noting(client);
      ({ unsent } = noted);
      return run(client, work, noted, () => signal?.aborted === true);
    },
    async (client) => {
      // The driver takes a statement for prepared whose values it could not send: the connection is of no more use.
      if (unsent() === undefined) await rollBack(client);
      else destroy(client);
    },
  );
}

/** @param failed leaves the connection, or what is left of it, to the pool */
async function onConnection<T>(
  connect: Connect,
  signal: AbortSignal | undefined,
  work: (client: pg.PoolClient) => Promise<T>,
  failed: (client: pg.PoolClient, error: unknown) => Promise<void> | void,
): Promise<T> {
  signal?.throwIfAborted();
  const aborted = abortion(signal);
  try {
    const client = await unlessAborted(connect(), aborted.promise);
    try {
      const result = await Promise.race([work(client), aborted.promise]);
      client.release();
      return result;
    } catch (error) {
      if (signal?.aborted === true) destroy(client);
      else await failed(client, error);
      throw error;
    }
  } finally {
    aborted.forget();
  }
}

async function unlessAborted(connecting: Promise<pg.PoolClient>, aborted: Promise<never>): Promise<pg.PoolClient> {
  try {
    return await Promise.race([connecting, aborted]);
  } catch (error) {
    // One that comes after all is somebody else's.
    connecting.then(
      (client) => {
        client.release();
      },
      () => undefined,
    );
    throw error;
  }
}

async function run<T>(
  client: pg.PoolClient,
  work: (sql: Sql) => Promise<T>,
  { sql, latest, unsent }: Noting,
  isAborted: () => boolean,
): Promise<T> {
  // Pipelined: BEGIN travels with the first statement, which saves a round trip on every transaction.
  const begun = client.query('BEGIN');
  begun.catch(() => undefined);
  const result = await work(sql);
  if (isAborted()) throw new Error('aborted before commit');
  // The server knows nothing of it and would commit the rest.
  const failure = unsent();
  if (failure !== undefined) throw failure;
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

type Noting = { readonly sql: Sql; readonly latest: () => Promise<unknown>; readonly unsent: () => Error | undefined };

/**
 * Statements of one connection are run in order: when the latest is through, all are. After one that failed, all others are
 * refused; who waited only for those is told of the first. What failed without the server's word was perhaps never sent.
 */
function noting(client: pg.PoolClient): Noting {
  let latest: Promise<unknown> = Promise.resolve();
  let first: unknown;
  let unsent: Error | undefined;
  const inner = sqlOn(client, (error) => {
    if (!(error instanceof pg.DatabaseError)) unsent ??= error;
  });
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
  return { sql, latest: () => latest, unsent: () => unsent };
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
function destroy(client: pg.PoolClient): void {
  client.connection.stream.destroy();
  client.release(true);
}

async function rollBack(client: pg.PoolClient): Promise<void> {
  try {
    await client.query('ROLLBACK');
    client.release();
  } catch {
    destroy(client);
  }
}
