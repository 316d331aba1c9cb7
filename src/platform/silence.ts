/**
 * Connections that do not answer. One that was given up says something of its neighbours: whatever silenced it (a proxy, a
 * firewall that forgot, a host that stopped) most likely holds those that lie idle beside it, and each would cost another
 * timeout. So they are ended too, and what comes next makes new ones. Deliberately knows no statement: how long is waited for
 * an answer stands in login.ts.
 */
import type pg from 'pg';
import { sqlState } from './postgres-error.js';

/** What a connection has for its goodbye. */
const GOODBYE_MS = 2_000;

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
