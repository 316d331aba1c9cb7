/**
 * Ends connections that do not answer. When one times out, its idle neighbours are most likely dead for the same reason
 * (a proxy, a firewall that forgot, a stopped host), and each would cost another timeout: they are ended too, and new
 * ones are made on demand. If an answer may take long, an idle connection is first asked whether it is alive. Knows no
 * statement: login.ts says how long to wait.
 */
import type pg from 'pg';
import { sqlState } from './postgres-error.js';

/** What a connection has for its goodbye. */
const GOODBYE_MS = 2_000;
/** A login that waits longer than this for an answer asks first, where a connection lay idle for a second. */
const PATIENT_MS = 5_000;
const IDLE_MS = 1_000;
const PROBE_MS = 2_000;

/** Ends what lies idle in a pool whenever one of its connections was given up without a word of the server. */
export function distrustIdle(pool: pg.Pool): void {
  const idle = new Set<pg.PoolClient>();
  pool.on('acquire', (client) => idle.delete(client));
  pool.on('remove', (client) => idle.delete(client));
  pool.on('release', (given: Error | boolean | undefined, client) => {
    if (!isGivenUp(given)) {
      idle.add(client);
      return;
    }
    // The pool takes away an idle connection that broke.
    for (const other of idle) other.connection.stream.destroy();
    idle.clear();
  });
}

const isGivenUp = (given: Error | boolean | undefined): boolean =>
  given === true || (given instanceof Error && sqlState(given) === undefined);

/** Hands out connections that are there, as far as one can know. */
export function connectFrom(pool: pg.Pool): () => Promise<pg.PoolClient> {
  const { query_timeout: answerMs = 0 } = pool.options;
  const idleSince = new WeakMap<pg.PoolClient, number>();
  pool.on('release', (_, client) => idleSince.set(client, performance.now()));
  return async () => {
    for (;;) {
      const client = await pool.connect();
      const idleMs = performance.now() - (idleSince.get(client) ?? Infinity);
      const answers =
        // The pool does not know yet of one that was ended while it lay idle.
        !client.connection.stream.destroyed &&
        (answerMs <= PATIENT_MS || idleMs < IDLE_MS || (await answersProbe(client)));
      if (answers) return client;
      client.release(true);
    }
  };
}

async function answersProbe(client: pg.PoolClient): Promise<boolean> {
  try {
    const probe = { text: 'SELECT', query_timeout: PROBE_MS };
    await client.query(probe);
    return true;
  } catch {
    return false;
  }
}

/** Ends the pool; again and again those of its connections that nobody works with and that do not answer the goodbye. */
export function closePool(pool: pg.Pool): () => Promise<void> {
  const clients = new Set<pg.PoolClient>();
  const working = new Set<pg.PoolClient>();
  pool.on('connect', (client) => {
    clients.add(client);
    client.once('end', () => clients.delete(client));
  });
  pool.on('acquire', (client) => working.add(client));
  pool.on('release', (_, client) => working.delete(client));
  return async () => {
    const timer = setInterval(() => {
      for (const client of clients) if (!working.has(client)) client.connection.stream.destroy();
    }, GOODBYE_MS);
    try {
      await pool.end();
    } finally {
      clearInterval(timer);
    }
  };
}
