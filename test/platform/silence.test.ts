import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { openDatabase, type OpenDatabase } from '../../src/platform/postgres/database.js';
import { startFreezingProxy, type FreezingProxy } from '../stack/freezing-proxy.js';
import { createStack, type Stack } from '../stack/stack.js';

const ANSWER_MS = 700;

let stack: Stack;
let proxy: FreezingProxy;
let database: OpenDatabase;

beforeAll(async () => {
  stack = await createStack();
  const { hostname, port } = new URL(stack.adminUrl);
  proxy = await startFreezingProxy({ host: hostname, port: Number(port) });
});
afterEach(() => database.close());
afterAll(async () => {
  await proxy.close();
  await stack.drop();
});

const open = async (): Promise<OpenDatabase> => {
  database = await openDatabase(proxy.through(stack.urls.read), {
    login: 'read',
    applicationName: 'silence test',
    statementTimeoutMs: 300,
    answerTimeoutMs: ANSWER_MS,
  });
  return database;
};
/** Many connections that lie idle. */
const warmUp = (count: number) =>
  Promise.all(Array.from({ length: count }, () => database.query('SELECT pg_sleep(0.1)')));

/** Rejects when it takes longer than `ms`: what waits for ever must fail the test here and not by the test's own limit. */
async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`still waiting after ${ms} ms`));
    }, ms);
  });
  return Promise.race([work, late]).finally(() => {
    clearTimeout(timer);
  });
}

it('the first connection is tried again while nothing answers', async () => {
  proxy.freezeNew(true);
  const opening = openDatabase(proxy.through(stack.urls.read), {
    login: 'read',
    applicationName: 'silence test',
    connectTimeoutMs: 300,
  });
  const seen = { gaveUp: false };
  opening.catch(() => {
    seen.gaveUp = true;
  });
  // The first has been given up when the second is made.
  while (proxy.made() < 2 && !seen.gaveUp) await new Promise((resolve) => setTimeout(resolve, 20));
  proxy.freezeNew(false);
  database = await opening;
});

describe('given that all connections fall silent', () => {
  it('a statement is given up, and the next one has a new connection at once, not the neighbour that lay idle', async () => {
    await open();
    await warmUp(5);
    expect(proxy.freeze()).toBe(5);
    await expect(within(10_000, database.query('SELECT 1 AS one'))).rejects.toThrow('timeout');
    expect(await within(10_000, database.query('SELECT 1 AS one'))).toEqual([{ one: 1 }]);
    expect(proxy.live()).toBe(1);
  });

  it('a transaction is given up with its connection', async () => {
    await open();
    const silent = database.transaction(async (sql) => {
      await sql.query('SELECT 1');
      proxy.freeze();
      await sql.query('SELECT 2');
    });
    await expect(within(10_000, silent)).rejects.toThrow();
    expect(
      await within(
        10_000,
        database.transaction((sql) => sql.query('SELECT 1 AS one')),
      ),
    ).toEqual([{ one: 1 }]);
  });

  it('what was given a deadline ends then, whether it waits for a statement or for a connection', async () => {
    database = await openDatabase(proxy.through(stack.urls.read), { applicationName: 'silence test', max: 1 });
    proxy.freeze();
    const waiting = (): AbortSignal => AbortSignal.timeout(300);
    await expect(within(10_000, database.until(waiting()).query('SELECT 1'))).rejects.toThrow();
    proxy.freezeNew(true);
    await expect(
      within(
        10_000,
        database.until(waiting()).transaction((sql) => sql.query('SELECT 1')),
      ),
    ).rejects.toThrow();
    proxy.freezeNew(false);
    expect(await within(10_000, database.query('SELECT 1 AS one'))).toEqual([{ one: 1 }]);
  });

  it('the pool still ends', async () => {
    await open();
    await warmUp(3);
    proxy.freeze();
    const other = await openDatabase(proxy.through(stack.urls.read), { login: 'read', applicationName: 'ends' });
    proxy.freeze();
    await within(10_000, other.close());
  });
});
