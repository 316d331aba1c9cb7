/** The verdict SQL against its naive TypeScript model, on random facts. The seed is printed; ROK_SEED repeats a run. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { judgeDue } from '../../src/audit/judge.js';
import type { OpenDatabase } from '../../src/platform/database.js';
import { createStack, type Stack } from '../stack/stack.js';
import {
  aRun,
  FINAL_ACK,
  FOUR,
  INCIDENT_ACK,
  newRun,
  POLICY_ACK,
  TRACE_ACK,
  type AckFact,
  type RunFacts,
  type TryFact,
} from './facts.js';
import { openAs, verdictsOf } from './judged.js';
import { judgeModel } from './model.js';
import { plant } from './plant.js';

const CASES = 600;

let stack: Stack;
let audit: OpenDatabase;
beforeAll(async () => {
  stack = await createStack();
  audit = await openAs(stack, 'audit');
});
afterAll(async () => {
  await audit.close();
  await stack.drop();
});

/** Mostly as it should be, so that single findings come up alone too. */
const mostly = <T>(usual: T, ...others: readonly fc.Arbitrary<T>[]): fc.Arbitrary<T> =>
  fc.oneof(
    { weight: 4 * others.length, arbitrary: fc.constant(usual) },
    ...others.map((arbitrary) => ({ weight: 1, arbitrary })),
  );

const outcome = fc.constantFrom('succeeded', 'failed', 'denied', 'killed');
const evidence = fc.constantFrom<AckFact['evidence']>(
  { table: 'observe.events', seq: 1 },
  { table: 'observe.events', seq: 9 },
  { table: 'decide.runs' },
  {},
);

const ack = (usual: AckFact): fc.Arbitrary<readonly AckFact[]> =>
  mostly<readonly AckFact[]>(
    [usual],
    fc.constant([]),
    fc.array(
      fc.record({
        domain: fc.constant(usual.domain),
        action: fc.constant(usual.action),
        status: mostly<AckFact['status']>('done', fc.constantFrom('failed', 'rolled_back')),
        evidence: mostly(usual.evidence, evidence),
        atMs: mostly(usual.atMs, fc.integer({ min: -90_000, max: -1_500 })),
      }),
      { minLength: 1, maxLength: 3 },
    ),
  );

const aTryOf = (step: number, attempt: number): fc.Arbitrary<TryFact> =>
  fc.record({
    step: fc.constant(step),
    attempt: fc.constant(attempt),
    kind: fc.constantFrom('model.call', 'skill.call'),
    access: fc.constantFrom('read', 'write', null),
    decision: mostly<TryFact['decision']>('allow', fc.constantFrom('deny', 'other action', null)),
    warrant: mostly<TryFact['warrant']>(
      'settled',
      fc.constantFrom('issued', 'redeemed', 'released', 'forfeited', 'other nonce', null),
    ),
    result: mostly<TryFact['result']>('succeeded', fc.constantFrom('failed', 'unknown', null)),
    overMicros: mostly(0, fc.constant(7)),
  });

const trace = mostly<RunFacts['trace']>(
  aRun().trace,
  fc.record({
    head: fc.option(
      fc.record({
        length: fc.integer({ min: 0, max: 3 }),
        hash: fc.constantFrom('last', 'wrong'),
        closed: fc.boolean(),
      }),
    ),
    seqs: fc.uniqueArray(fc.integer({ min: 1, max: 3 }), { maxLength: 3 }),
  }),
);

const facts: fc.Arbitrary<RunFacts> = fc
  .record({
    ended: mostly(true, fc.constant(false)),
    ending: outcome,
    latched: fc.boolean(),
    dueMs: mostly(60_000, fc.integer({ min: -5_000, max: -500 })),
  })
  .chain(({ ended, ending, latched, dueMs }) => {
    const phase = ended ? (ending === 'succeeded' ? 'COMPLETED' : 'FAILED') : latched ? 'FINALIZING' : 'EXECUTING';
    const said = ended || latched ? ending : null;
    const failed = said !== null && said !== 'succeeded';
    return fc.record<RunFacts>({
      run: fc.constant('').map(() => newRun()),
      tenant: fc.constantFrom('acme', 'globex'),
      profile: fc.constantFrom('STRICT', 'STANDARD', 'OBSERVE_ONLY'),
      finalizeDueMs: fc.constant(dueMs),
      expectations: mostly(FOUR, fc.subarray([...FOUR])),
      acks: fc
        .tuple(
          ack(TRACE_ACK),
          ack(POLICY_ACK),
          failed ? ack(INCIDENT_ACK) : mostly<readonly AckFact[]>([], ack(INCIDENT_ACK)),
          ended ? ack(FINAL_ACK) : mostly<readonly AckFact[]>([], ack(FINAL_ACK)),
        )
        .map((lists) => lists.flat()),
      phase: fc.constant(phase),
      outcome: fc.constant(said),
      evaluation: mostly<RunFacts['evaluation']>(
        said === null ? null : { outcome: said, kind: 'run.outcome' },
        fc.option(fc.record({ outcome, kind: fc.constantFrom('run.outcome', 'run.repair', 'model.call') })),
      ),
      incident: mostly<RunFacts['incident']>(failed ? { outcome: said } : null, fc.option(fc.record({ outcome }))),
      tries: fc.tuple(aTryOf(1, 1), aTryOf(1, 2), aTryOf(2, 1)).chain((all) => fc.subarray(all)),
      trace,
      forged: mostly<readonly string[]>([], fc.constant(['u-1', 'u-2'])),
      refused: mostly<readonly string[]>([], fc.constant(['other-'])),
      brokenSeqs: mostly<readonly number[]>([], fc.constant([2])),
    });
  });

it(`agrees with the model on ${CASES} random runs, each judged alone or in a page`, async () => {
  const seed = Number(process.env['ROK_SEED'] ?? Date.now() % 2 ** 31);
  process.stdout.write(`verdict-model: seed ${seed}\n`);
  const all = fc.sample(facts, { seed, numRuns: CASES });
  const base = await plant(stack.admin, all);
  await judgeDue(audit, { page: 97 });
  const judged = await verdictsOf(
    stack.admin,
    all.map((one) => one.run),
  );
  const seen = new Map<string, number>();
  all.forEach((one, at) => {
    const expected = judgeModel(one, base);
    expect({ seed, facts: one, verdict: judged[at] }).toEqual({ seed, facts: one, verdict: expected });
    for (const name of [expected?.status ?? 'PENDING', ...(expected?.findings.map((finding) => finding.code) ?? [])])
      seen.set(name, (seen.get(name) ?? 0) + 1);
  });
  process.stdout.write(`verdict-model: ${JSON.stringify(Object.fromEntries([...seen].sort()))}\n`);
  // A generator that never comes to a finding would agree on everything.
  for (const name of [
    'COMPLETE',
    'INCOMPLETE',
    'STALE',
    'PENDING',
    'MISSING',
    'FAILED',
    'ROLLED_BACK',
    'HOLLOW',
    'UNWARRANTED',
    'MISMATCH',
    'TRACE_BROKEN',
    'OVERRUN',
    'FORGED_APPROVAL',
    'UNKNOWN_RESULT',
    'LATE',
    'DRIFT',
    'REFUSED_HISTORY',
  ])
    expect([name, (seen.get(name) ?? 0) >= 3]).toEqual([name, true]);
});

it('judges again without a change: no revision is added', async () => {
  const counts = () => stack.admin.query('SELECT count(*)::int AS verdicts FROM audit.verdicts');
  const before = await counts();
  await stack.admin.query('UPDATE audit.contracts SET judge_after = clock_timestamp()');
  const looked = await judgeDue(audit);
  expect(looked.length).toBe(CASES);
  expect(looked.filter((one) => one.written && one.revision !== 1)).toEqual([]);
  expect(await counts()).toEqual(before);
});
