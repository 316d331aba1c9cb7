/** GCRA in SQL against its naive model: random limits, random arrivals on several keys, what is enforced and what is not. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { blockingRates, checkRates, waitMs } from '../../src/decide/checks/rates.js';
import type { RateEnforcement, RateFacts } from '../../src/decide/snapshot.js';
import type { Database, Sql } from '../../src/domain/sql.js';
import { sqlFolder } from '../../src/platform/postgres/sql-folder.js';
import { proofSize } from '../proof-size.js';
import { createLedgerRig, openRun, type LedgerRig } from './ledger-rig.js';
import { createRateModel, excess, type Call, type Limit } from './rate-model.js';
import { modelCall, skillCall, snapshotWith } from './snapshots.js';

const seed = Number(process.env['SEED'] ?? '20261124');
const RUNS = proofSize({ quick: 100, full: 6_000 });
const TENANTS = ['acme', 'umbra'];
const MODELS = ['scripted/a', 'scripted/b'];
const SKILLS = ['look', 'pay'];

let rig: LedgerRig;
const runs = new Map<string, string>();
beforeAll(async () => {
  rig = await createLedgerRig();
  for (const tenant of TENANTS) runs.set(tenant, await openRun(rig.decide, tenant));
  await rig.stack.admin.query(
    `CREATE OR REPLACE FUNCTION decide.clock() RETURNS timestamptz LANGUAGE sql VOLATILE AS
      $$ SELECT timestamptz '2026-11-24Z' + current_setting('rok_test.at_us')::bigint * interval '1 microsecond' $$`,
  );
});
afterAll(() => rig.close());

const limit = (scope: Limit['scope'], subjects: readonly string[]): fc.Arbitrary<Limit> =>
  fc.record({
    scope: fc.constant(scope),
    subject: fc.constantFrom('*', '*', ...subjects),
    enforcement: fc.constantFrom<RateEnforcement[]>('soft', 'hard'),
    calls: fc.oneof(
      { weight: 4, arbitrary: fc.integer({ min: 1, max: 9 }) },
      { weight: 1, arbitrary: fc.constantFrom(60, 1000, 1_000_000) },
    ),
    periodS: fc.constantFrom(1, 2, 60),
    burst: fc.oneof(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 }), fc.constant(20)),
  });
const limits = fc.uniqueArray(
  fc.oneof(
    limit('tenant', TENANTS),
    limit(
      'agent',
      TENANTS.map((tenant) => `${tenant}/clerk`),
    ),
    limit('model', MODELS),
    limit('skill', SKILLS),
  ),
  { minLength: 1, maxLength: 5, selector: (one) => `${one.scope} ${one.subject} ${one.enforcement}` },
);
/** In bursts and with rests, to the microsecond; now and then exactly when a limit's next call is due. */
const gapUs = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(0, 0, 0, 0, 1, 999, 111_112, 500_000, 10_000_000) },
  { weight: 3, arbitrary: fc.nat({ max: 400_000 }) },
);
const arrivals = fc.array(
  fc.record({
    gap: gapUs,
    tenant: fc.constantFrom(...TENANTS),
    what: fc.constantFrom(
      ...MODELS.map((target) => ({ kind: 'model.call' as const, target })),
      ...SKILLS.map((target) => ({ kind: 'skill.call' as const, target })),
    ),
    blocking: fc.constantFrom<RateEnforcement[][]>(['soft', 'hard'], ['soft', 'hard'], ['hard'], []),
  }),
  { minLength: 15, maxLength: 60 },
);

const inVain = async (database: Database, work: (sql: Sql) => Promise<void>): Promise<void> => {
  const undone = new Error('rolled back');
  await database
    .transaction(async (sql) => {
      await work(sql);
      throw undone;
    })
    .catch((error: unknown) => {
      if (error !== undone) throw error;
    });
};

type Answered = { readonly reserved: { readonly ok: boolean } | null; readonly rates: RateFacts | null };

/** What decide.step sends, at the time of the call. */
async function asked(sql: Sql, call: Call, blocking: readonly RateEnforcement[], step: number): Promise<Answered> {
  const [, rows] = await Promise.all([
    sql.query(`SELECT set_config('rok_test.at_us', $1::text, true)`, [call.atUs]),
    sql.query<{ answer: Answered }>(
      `SELECT decide.rate_and_reserve($1, '[]', jsonb_build_object('step', $2::int, 'attempt', 1, 'turn', 1, 'action_digest', 'a',
        'not_after', now(), 'enforced', true, 'base_micros', 0, 'per_token_num', 0, 'per_token_den', 1, 'input_tokens', 0), $3) AS answer`,
      [
        runs.get(call.tenant),
        step,
        JSON.stringify({
          kind: call.kind,
          target: call.kind === 'skill.call' ? `${call.target}@1` : call.target,
          blocking,
        }),
      ],
    ),
  ]);
  const answer = rows[0]?.answer;
  if (answer === undefined) throw new Error('the rates did not answer');
  return answer;
}

const insert = (sql: Sql, one: Limit) =>
  sql.query(
    'INSERT INTO decide.rate_limits (scope, subject, enforcement, calls, period_s, burst) VALUES ($1, $2, $3, $4, $5, $6)',
    [one.scope, one.subject, one.enforcement, one.calls, one.periodS, one.burst],
  );

const seen = { admitted: 0, held: 0, unenforced: 0 };
const day = fc.asyncProperty(limits, arrivals, async (given, calls) => {
  const model = createRateModel(given);
  // As administrator, who may write limits; nothing of a day is kept.
  await inVain(rig.stack.admin, async (sql) => {
    for (const one of given) await insert(sql, one);
    let atUs = 1_000_000;
    for (const [index, { gap, tenant, what, blocking }] of calls.entries()) {
      atUs += gap;
      const call: Call = { tenant, ...what, atUs };
      const expected = model.ask(call, blocking);
      const { reserved, rates } = await asked(sql, call, blocking, index + 1);
      expect(reserved?.ok === true).toBe(expected.admitted);
      const waits = (rates?.limits ?? []).map((one) => [
        `${one.scope} ${one.subject} ${one.enforcement}`,
        waitMs(one, rates?.nowUs ?? 0),
      ]);
      expect(Object.fromEntries(waits)).toEqual(
        Object.fromEntries(Object.entries(expected.waits).map(([key, us]) => [key, Math.ceil(us / 1000)])),
      );
      agreesWithTheCheck(call, rates, reserved !== null);
      seen[expected.admitted ? 'admitted' : 'held'] += 1;
      if (expected.admitted && Object.values(expected.waits).some((us) => us > 0)) seen.unenforced += 1;
    }
  });
  for (const one of model.admitted.values()) expect(excess(one)).toBeLessThanOrEqual(1e-9);
});

it(`agrees with the model at every one of the arrivals of ${RUNS} random days, and admits no more than burst + rate × time`, async () => {
  await fc.assert(day, { numRuns: RUNS, seed });
  // The days are about something.
  expect(Math.min(seen.admitted, seen.held, seen.unenforced)).toBeGreaterThan(RUNS);
}, 240_000);

it.each([
  ['a burst that is one more', '(l.burst - 1) * l."everyUs") INTO waiting', 'l.burst * l."everyUs") INTO waiting'],
  ['a rest that is credit without end', 'greatest(s.tat_us, at_us) + l', 's.tat_us + l'],
  ['a call let through early that counts', 'AND s.tat_us - at_us <= (l.burst - 1) * l."everyUs"', ''],
  ['a soft limit taken for a hard one', "p_rate -> 'blocking' ? l.enforcement AND", ''],
  ['a refused call that counts', "IF (answer #>> '{reserved,ok}')::boolean THEN", 'IF true THEN'],
])('a function with %s is found', async (_name, right, wrong) => {
  const text = await readFile(join(sqlFolder, 'repeatable/decide/0122_rates.sql'), 'utf8');
  const [whole = ''] = /CREATE OR REPLACE FUNCTION decide\.rate_and_reserve.*?END \$\$;/s.exec(text) ?? [];
  expect(whole.split(right)).toHaveLength(2);
  const define = (body: string) => rig.stack.admin.query(body);
  await define(whole.replace(right, wrong));
  try {
    const found = await fc.check(day, { numRuns: 200, seed, endOnFailure: true });
    // By a comparison that failed, not by an error of the database.
    expect(String(found.errorInstance)).toContain('expect(');
  } finally {
    await define(whole);
  }
});

/** Where everything is enforced, the pure check over the same facts holds back what the database held back. */
function agreesWithTheCheck(call: Call, rates: RateFacts | null, reserved: boolean): void {
  const intent = call.kind === 'model.call' ? modelCall : skillCall;
  const strict = snapshotWith({ rates, run: { profile: 'STRICT' } });
  const early = (rates?.limits ?? []).filter((one) => waitMs(one, rates?.nowUs ?? 0) > 0);
  expect(checkRates(intent, strict).objections).toHaveLength(early.length);
  expect(blockingRates(strict)).toEqual(['soft', 'hard']);
  if (!reserved) expect(early).not.toEqual([]);
}
