import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { openDatabase, type OpenDatabase } from '../../src/platform/postgres/database.js';
import { freePorts } from '../../src/platform/local/free-port.js';
import { createStack, type Stack } from '../stack/stack.js';

let stack: Stack;
let database: OpenDatabase;

beforeAll(async () => {
  stack = await createStack();
  await stack.admin.query(`CREATE SCHEMA desk; CREATE TABLE desk.notes (text text);
     GRANT USAGE ON SCHEMA desk TO rok_read; GRANT SELECT, INSERT ON desk.notes TO rok_read`);
  database = await openDatabase(stack.urls.read, {
    login: 'read',
    applicationName: 'database test',
    lockTimeoutMs: 500,
  });
});

afterAll(async () => {
  await database.close();
  await stack.drop();
});

const notes = () => stack.admin.query('SELECT text FROM desk.notes ORDER BY text');

describe('a login', () => {
  it('works as itself, in UTC, within its limits', async () => {
    const rows = await database.query(
      `SELECT session_user::text AS who, current_setting('TimeZone') AS zone, current_setting('lock_timeout') AS lock,
              current_setting('statement_timeout') AS statement, current_setting('application_name') AS application`,
    );
    expect(rows).toEqual([
      { who: 'rok_read', zone: 'UTC', lock: '500ms', statement: '30s', application: 'database test' },
    ]);
    expect(database).toMatchObject({ login: 'rok_read', sharedLogin: false });
  });

  it('given only the owner’s URL, becomes the login and says that it is shared', async () => {
    const shared = await openDatabase(stack.adminUrl, { login: 'decide', applicationName: 'shared' });
    const rows = await shared.query('SELECT session_user::text AS session, current_user::text AS current');
    expect(rows).toEqual([{ session: 'rok_decide', current: 'rok_decide' }]);
    expect(shared.sharedLogin).toBe(true);
    await expect(shared.query('SELECT * FROM desk.notes')).rejects.toMatchObject({ code: '42501' });
    await shared.close();
  });
});

it('returns bigint past 2^53, microseconds, nulls and lists as they are', async () => {
  const rows = await database.query(
    `SELECT 9007199254740993::bigint AS micros, '{1,NULL}'::bigint[] AS list, null::bigint AS nothing,
            '2026-01-02 03:04:05.6+02'::timestamptz AS at, 'infinity'::timestamptz AS never, $1::bigint AS back`,
    [9_007_199_254_740_995n],
  );
  expect(rows).toEqual([
    {
      micros: 9_007_199_254_740_993n,
      list: [1n, null],
      nothing: null,
      at: '2026-01-02T01:04:05.600000Z',
      never: 'infinity',
      back: 9_007_199_254_740_995n,
    },
  ]);
});

describe('a transaction', () => {
  it('commits what it did, or nothing of it', async () => {
    await database.transaction((sql) => sql.query('INSERT INTO desk.notes VALUES ($1)', ['kept']));
    const failing = database.transaction(async (sql) => {
      await sql.query('INSERT INTO desk.notes VALUES ($1)', ['lost']);
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(await notes()).toEqual([{ text: 'kept' }]);
  });

  it('given a failed statement that was swallowed, does not pretend to have committed', async () => {
    const swallowing = database.transaction(async (sql) => {
      await sql.query('INSERT INTO desk.notes VALUES ($1)', ['swallowed']);
      await sql.query('SELECT 1/0').catch(() => undefined);
    });
    await expect(swallowing).rejects.toMatchObject({ code: '22012' });
    expect(await notes()).toEqual([{ text: 'kept' }]);
  });

  it('given statements that nobody waits for, commits them too, or fails with the first that failed', async () => {
    await database.transaction((sql) => {
      void sql.query('INSERT INTO desk.notes VALUES ($1)', ['unwaited']);
      return Promise.resolve();
    });
    expect(await notes()).toContainEqual({ text: 'unwaited' });

    const failing = database.transaction(async (sql) => {
      void sql.query('INSERT INTO desk.notes VALUES ($1)', ['lost']);
      void sql.query('SELECT 1 / $1::int', [0]);
      await sql.query('SELECT $1::int', [1]);
    });
    await expect(failing).rejects.toMatchObject({ code: '22012' });
    const failingLast = database.transaction((sql) => {
      void sql.query('INSERT INTO desk.notes VALUES ($1)', ['lost']);
      void sql.query('SELECT 1 / $1::int', [0]);
      return Promise.resolve();
    });
    await expect(failingLast).rejects.toMatchObject({ code: '22012' });
    expect(await notes()).not.toContainEqual({ text: 'lost' });
    await stack.admin.query(`DELETE FROM desk.notes WHERE text = 'unwaited'`);
  });

  it('given a statement that nobody waits for and that cannot even be sent, keeps nothing of the others', async () => {
    const circle: Record<string, unknown> = {};
    circle['itself'] = circle;
    for (const swallow of [false, true]) {
      const failing = database.transaction(async (sql) => {
        const unsent = sql.query('INSERT INTO desk.notes VALUES ($1)', [circle]);
        void sql.query('INSERT INTO desk.notes VALUES ($1)', ['beside what was not sent']);
        if (swallow) await unsent.catch(() => undefined);
      });
      await expect(failing).rejects.toThrow('circular');
    }
    expect(await notes()).toEqual([{ text: 'kept' }]);
    // The statement whose values were at fault is as good as ever.
    await database.transaction((sql) => sql.query('INSERT INTO desk.notes VALUES ($1)', ['sent']));
    expect(await notes()).toContainEqual({ text: 'sent' });
    await stack.admin.query(`DELETE FROM desk.notes WHERE text = 'sent'`);
  });

  it('given an abort while a statement waits, rejects at once, destroys the connection and keeps nothing', async () => {
    const backend = deferred<number>();
    const abort = new AbortController();
    const aborted = database.transaction(
      async (sql) => {
        const [row] = await sql.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
        await sql.query('INSERT INTO desk.notes VALUES ($1)', ['aborted']);
        backend.resolve(row?.pid ?? 0);
        await sql.query('SELECT pg_sleep(3)');
      },
      { signal: abort.signal },
    );
    const settled = expect(aborted).rejects.toThrow('enough');
    const pid = await backend.promise;
    abort.abort(new Error('enough'));
    await settled;
    await until(
      async () => (await stack.admin.query('SELECT 1 FROM pg_stat_activity WHERE pid = $1', [pid])).length === 0,
    );
    expect(await notes()).toEqual([{ text: 'kept' }]);
    expect(await database.query('SELECT 1 AS still')).toEqual([{ still: 1 }]);
  });

  it('given a signal that was aborted before, does nothing', async () => {
    const work = database.transaction(() => Promise.reject(new Error('was run')), {
      signal: AbortSignal.abort(new Error('early')),
    });
    await expect(work).rejects.toThrow('early');
  });

  it('given a connection that is killed in it, rejects, and the pool goes on', async () => {
    const killed = database.transaction(async (sql) => {
      const [row] = await sql.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      await stack.admin.query('SELECT pg_terminate_backend($1)', [row?.pid]);
      await sql.query('INSERT INTO desk.notes VALUES ($1)', ['killed']);
    });
    await expect(killed).rejects.toThrow();
    expect(await database.query('SELECT 1 AS still')).toEqual([{ still: 1 }]);
    expect(await notes()).toEqual([{ text: 'kept' }]);
  });
});

describe('a database that cannot be opened', () => {
  it('given no server, says which, where and what to do, without the password, exit 9', async () => {
    const [port] = await freePorts(1);
    const opening = openDatabase(`postgresql://rok:hunter2@127.0.0.1:${port ?? 0}/rok`, { applicationName: 'test' });
    await expect(opening).rejects.toMatchObject({
      code: 'postgres_unreachable',
      exitCode: 9,
      message: `PostgreSQL at \`127.0.0.1:${port ?? 0}/rok\` cannot be reached (ECONNREFUSED)`,
      hint: 'start it, or set `ROK_DATABASE_URL` to where it runs; `npm start` brings one of its own',
    });
  });

  it('given a wrong password, a missing database or a missing login, says so, exit 9', async () => {
    const wrong = new URL(stack.urls.read);
    wrong.password = 'hunter2';
    const missing = new URL(stack.adminUrl);
    missing.pathname = '/nowhere';
    const refusals = await Promise.allSettled([
      openDatabase(wrong.href, { applicationName: 'test' }),
      openDatabase(missing.href, { applicationName: 'test' }),
    ]);
    expect(refusals.map((refusal) => (refusal.status === 'rejected' ? (refusal.reason as Error).message : ''))).toEqual(
      [
        `PostgreSQL at \`${wrong.host}${wrong.pathname}\` refused the password (as \`rok_read\`, 28P01)`,
        `PostgreSQL at \`${missing.host}/nowhere\` has no such database (as \`rok\`, 3D000)`,
      ],
    );
  });
});

function deferred<T>() {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('the condition did not come true within 30 s');
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
