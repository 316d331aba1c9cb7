/** The trace as PostgreSQL keeps it: numbered, hashed, idempotent, closed once, and append-only. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createObserveActivities } from '../../src/activities/observe.js';
import fc from 'fast-check';
import { canonicalJson } from '../../src/domain/canonical-json.js';
import { runIdOf, type RunId } from '../../src/domain/ids.js';
import type { TraceEvent } from '../../src/domain/trace-event.js';
import { openDatabase, type OpenDatabase } from '../../src/platform/postgres/database.js';
import { newRun } from '../audit/facts.js';
import { createStack, type Stack } from '../stack/stack.js';

let stack: Stack;
let observe: OpenDatabase;
let decide: OpenDatabase;
beforeAll(async () => {
  stack = await createStack();
  observe = await openDatabase(stack.urls.observe, { login: 'observe', applicationName: 'tests', max: 8 });
  decide = await openDatabase(stack.urls.decide, { login: 'decide', applicationName: 'tests', max: 1 });
});
afterAll(async () => {
  await Promise.all([observe.close(), decide.close()]);
  await stack.drop();
});

const worker = () =>
  createObserveActivities({
    database: observe,
    log: { warn: () => undefined },
    signal: () => new AbortController().signal,
  });
/** By a worker of its own each time. */
const append = (run: RunId, events: readonly TraceEvent[]) => worker()['observe.append']({ run, events });
const event = (id: string, kind: TraceEvent['kind'] = 'step.decided', body: TraceEvent['body'] = {}): TraceEvent => ({
  id,
  kind,
  body,
});
const created = event('run.created', 'run.created', { spec: 'a', name: 'ünïcode \u0000 "quoted"' });
const closing = event('run.closing', 'run.closing', { outcome: 'succeeded' });

async function declaredRun(): Promise<{ readonly run: RunId; readonly uuid: string; readonly root: string }> {
  const uuid = newRun();
  const [row] = await decide.query<{ root: string }>(
    `SELECT encode(digest, 'hex') AS root FROM audit.declare($1, 'acme', 'desk', 'STANDARD', NULL)`,
    [uuid],
  );
  return { run: runIdOf(uuid), uuid, root: row?.root ?? '' };
}

type EventRow = {
  readonly seq: number;
  readonly event_id: string;
  readonly bytes: Buffer;
  readonly micros: string;
  readonly hash: string;
};
const eventsOf = (uuid: string) =>
  stack.admin.query<EventRow>(
    `SELECT seq::int, event_id, bytes, (extract(epoch FROM at) * 1000000)::bigint::text AS micros, encode(hash, 'hex') AS hash
     FROM observe.events WHERE run_id = $1 ORDER BY seq`,
    [uuid],
  );

describe('appending', () => {
  it("chains every event from the contract's digest: tag, previous hash, number, microseconds, bytes", async () => {
    const { run, uuid, root } = await declaredRun();
    const head = await append(run, [created, event('1.1.decided'), closing]);
    const rows = await eventsOf(uuid);
    let hash = root;
    for (const [index, row] of rows.entries()) {
      const numbers = Buffer.alloc(16);
      numbers.writeBigInt64BE(BigInt(index + 1));
      numbers.writeBigInt64BE(BigInt(row.micros), 8);
      hash = createHash('sha256')
        .update('rok.trace.v1')
        .update(Buffer.from(hash, 'hex'))
        .update(numbers)
        .update(row.bytes)
        .digest('hex');
      expect(row.hash).toBe(hash);
    }
    expect(head).toEqual({ length: 3, hash });
    expect(rows.map((row) => row.bytes.toString())).toEqual(
      [created, event('1.1.decided'), closing].map((one) => canonicalJson(one)),
    );
  });
  it('acknowledges start_trace with its first event, once', async () => {
    const { run, uuid } = await declaredRun();
    await append(run, [created]);
    await append(run, [event('1.1.decided')]);
    expect(
      await stack.admin.query('SELECT n, domain, action, status, evidence, by FROM audit.acks WHERE run_id = $1', [
        uuid,
      ]),
    ).toEqual([
      {
        n: 1,
        domain: 'logs',
        action: 'start_trace',
        status: 'done',
        evidence: { table: 'observe.events', seq: 1 },
        by: 'rok_observe',
      },
    ]);
  });
  it('an id that is there already is a no-op, whatever comes with it, also after the close', async () => {
    const { run, uuid } = await declaredRun();
    const first = await append(run, [created, event('1.1.decided', 'step.decided', { effect: 'allow' })]);
    expect(await append(run, [event('1.1.decided', 'step.decided', { effect: 'deny' }), created])).toEqual(first);
    const closed = await append(run, [
      event('2.1.decided'),
      event('2.1.decided', 'step.decided', { again: true }),
      closing,
    ]);
    expect(closed.length).toBe(4);
    expect(await append(run, [closing, created])).toEqual(closed);
    expect((await eventsOf(uuid)).map((row) => [row.seq, row.event_id])).toEqual([
      [1, 'run.created'],
      [2, '1.1.decided'],
      [3, '2.1.decided'],
      [4, 'run.closing'],
    ]);
  });
  it('takes nothing after run.closing, and then nothing of that call', async () => {
    const { run, uuid } = await declaredRun();
    await append(run, [created, closing]);
    await expect(append(run, [created, event('late')])).rejects.toMatchObject({
      type: 'trace_closed',
      nonRetryable: true,
    });
    expect((await eventsOf(uuid)).length).toBe(2);
  });
  it('refuses what it does not know: a run without a contract, a kind, an id, a fraction, too much', async () => {
    const { run } = await declaredRun();
    await expect(append(runIdOf(newRun()), [created])).rejects.toMatchObject({ type: 'run_unknown' });
    const bad: readonly (readonly TraceEvent[])[] = [
      [],
      [event('x', 'no.kind' as TraceEvent['kind'])],
      [event('toString', 'toString' as TraceEvent['kind'])],
      [event('')],
      [event('a b')],
      [event('x', 'step.decided', { half: 0.5 })],
      [event('x', 'step.decided', { long: 'x'.repeat(65_536) })],
      Array.from({ length: 257 }, (_, at) => event(`e.${at}`)),
    ];
    for (const events of bad)
      await expect(append(run, events)).rejects.toMatchObject({ type: 'event_invalid', nonRetryable: true });
    await expect(
      observe.query(
        `SELECT observe.append($1, '[{"id":"a","kind":"run.created","bytes":"{\\"id\\":\\"b\\",\\"kind\\":\\"run.created\\"}"}]')`,
        [run.slice(4)],
      ),
    ).rejects.toMatchObject({ code: '22023' });
  });
  it('stays contiguous under many writers at once', async () => {
    const { run, uuid } = await declaredRun();
    await Promise.all(
      Array.from({ length: 40 }, (_, at) =>
        append(run, [created, event(`${at % 20}.1.decided`), event(`${at}.2.decided`)]),
      ),
    );
    const rows = await eventsOf(uuid);
    expect(rows.map((row) => row.seq)).toEqual(Array.from({ length: 61 }, (_, at) => at + 1));
    expect(new Set(rows.map((row) => row.event_id)).size).toBe(61);
  });
});

const threeRuns = async (): Promise<readonly string[]> =>
  (await Promise.all([declaredRun(), declaredRun(), declaredRun()])).map(({ uuid }) => uuid);
const codeOf = (error: unknown): unknown => (error as { readonly code?: unknown }).code;

describe('appends of one worker at the same time', () => {
  it('share commits, and each answers the head of its own run', async () => {
    const { 'observe.append': together } = worker();
    const runs = await Promise.all(Array.from({ length: 40 }, declaredRun));
    const heads = await Promise.all(
      [...runs, ...runs].map(({ run }, at) => together({ run, events: [created, event(`${at}.1.decided`)] })),
    );
    for (const [at, { uuid }] of runs.entries()) {
      const rows = await eventsOf(uuid);
      expect(rows.map((row) => row.event_id).sort()).toEqual(
        [`${at}.1.decided`, `${at + 40}.1.decided`, 'run.created'].sort(),
      );
      for (const asked of [at, at + 40]) {
        const last = rows.find((row) => row.event_id === `${asked}.1.decided`);
        expect(heads[asked]).toEqual({ length: last?.seq, hash: last?.hash });
      }
    }
    const [commits] = await stack.admin.query<{ count: number }>(
      'SELECT count(DISTINCT xmin::text)::int AS count FROM observe.events WHERE run_id = ANY ($1::uuid[])',
      [runs.map((one) => one.uuid)],
    );
    expect(commits?.count).toBeLessThan(20);
  });
  it('leave what they leave one after the other, whatever comes twice, of the same run or of several, or nothing', async () => {
    const seen = { kept: 0, refused: 0 };
    const one = fc.record({
      run: fc.nat({ max: 2 }),
      ids: fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'run.closing'), { minLength: 1, maxLength: 4 }),
      sound: fc.nat({ max: 9 }).map((n) => n > 0),
    });
    const encoded = (id: string, sound: boolean) => {
      const kind = id === 'run.closing' ? id : 'step.decided';
      return { id, kind, bytes: canonicalJson({ body: {}, id: sound ? id : 'other', kind }) };
    };
    const seenOf = async (uuids: readonly string[]) =>
      Promise.all(uuids.map(async (uuid) => (await eventsOf(uuid)).map(({ seq, event_id }) => [seq, event_id])));
    await fc.assert(
      fc.asyncProperty(fc.array(one, { minLength: 1, maxLength: 6 }), async (appends) => {
        const [alone, group] = [await threeRuns(), await threeRuns()];
        const wanted: number[] = [];
        const refusal = await appends
          .reduce(async (before, { run, ids, sound }) => {
            await before;
            const events = JSON.stringify(ids.map((id) => encoded(id, sound)));
            const [row] = await observe.query<{ length: bigint }>('SELECT length FROM observe.append($1, $2)', [
              alone[run],
              events,
            ]);
            wanted.push(Number(row?.length));
          }, Promise.resolve())
          .then(() => null, codeOf);
        const together = await observe
          .query<{ place: number; length: bigint }>(
            'SELECT place, length FROM observe.append_together($1) ORDER BY place',
            [
              JSON.stringify(
                appends.map(({ run, ids, sound }) => ({
                  run: group[run],
                  events: ids.map((id) => encoded(id, sound)),
                })),
              ),
            ],
          )
          .then((rows) => rows.map((row) => Number(row.length)), codeOf);
        expect(together).toEqual(refusal ?? wanted);
        expect(await seenOf(group)).toEqual(refusal === null ? await seenOf(alone) : [[], [], []]);
        seen[refusal === null ? 'kept' : 'refused'] += 1;
      }),
      { numRuns: 80, seed: 20261130 },
    );
    expect(seen.kept).toBeGreaterThan(15);
    expect(seen.refused).toBeGreaterThan(15);
  });
  it('fail alone: what is refused spoils nothing that came with it', async () => {
    const { 'observe.append': together } = worker();
    const runs = await Promise.all(Array.from({ length: 20 }, declaredRun));
    const [closed] = runs;
    if (closed === undefined) throw new Error('no run');
    await together({ run: closed.run, events: [created, closing] });
    const answers = await Promise.allSettled([
      ...runs.map(({ run }) => together({ run, events: [event('1.1.decided')] })),
      together({ run: runIdOf(newRun()), events: [created] }),
    ]);
    expect(
      answers.map((one) => (one.status === 'fulfilled' ? one.value.length : (one.reason as { type?: string }).type)),
    ).toEqual(['trace_closed', ...Array.from({ length: 19 }, () => 1), 'run_unknown']);
  });
});

describe('what was observed', () => {
  it('cannot be changed, deleted or truncated, by a superuser neither', async () => {
    const { run } = await declaredRun();
    await append(run, [created, closing]);
    for (const statement of [
      `UPDATE observe.events SET kind = 'step.decided'`,
      'DELETE FROM observe.events',
      'TRUNCATE observe.events',
      'TRUNCATE observe.heads CASCADE',
      'DELETE FROM observe.heads',
      'UPDATE observe.heads SET length = length - 1',
      'UPDATE observe.heads SET closed_at = NULL WHERE closed_at IS NOT NULL',
    ])
      await expect(stack.admin.query(statement)).rejects.toMatchObject({ code: '55000' });
  });
  it('is written by no login but through append, and append is for the observe login alone', async () => {
    const { uuid } = await declaredRun();
    for (const statement of [
      `INSERT INTO observe.heads (run_id, hash) VALUES ('${uuid}', sha256(''))`,
      'SELECT * FROM observe.events',
      'UPDATE observe.heads SET length = 9',
    ])
      await expect(observe.query(statement)).rejects.toMatchObject({ code: '42501' });
    await expect(decide.query(`SELECT observe.append('${uuid}', '[]')`)).rejects.toMatchObject({ code: '42501' });
  });
});
