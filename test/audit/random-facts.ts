/** Runs as they may come: mostly in order, with every fact wrong now and then, alone and together. What the proofs of the verdict draw from. */
import fc from 'fast-check';
import { triesAfter } from './hold-facts.js';
import { randomHolds, randomStart } from './hold-model.js';
import {
  answerOf,
  aTry,
  contentOf,
  EXPIRES_MS,
  FINAL_ACK,
  FOUR,
  INCIDENT_ACK,
  newRun,
  POLICY_ACK,
  storyOf,
  TRACE_ACK,
  traceOf,
  type AckFact,
  type AmendmentFact,
  type EventFact,
  type RunFacts,
  type TryFact,
} from './facts.js';

/** Mostly as it should be, so that single findings come up alone too. */
const mostly = <T>(usual: T, ...others: readonly fc.Arbitrary<T>[]): fc.Arbitrary<T> =>
  fc.oneof(
    { weight: 4 * others.length, arbitrary: fc.constant(usual) },
    ...others.map((arbitrary) => ({ weight: 1, arbitrary })),
  );

const HOUR_MS = 3_600_000;
/** Far from any clock that runs while thousands are planted and judged. */
const DUE_MS = 10 * HOUR_MS;
/** Where a due time may lie, exactly and just after: as declared, as amended, as it expires. */
const EDGES_MS = [DUE_MS, DUE_MS + HOUR_MS, EXPIRES_MS, -50_000].flatMap((edge) => [edge, edge + 1]);

const amendments = fc.array(
  fc.record<AmendmentFact>({
    hold: fc.integer({ min: 1, max: 3 }),
    reason: fc.constantFrom('hold_opened', 'hold_ended'),
    fromMs: fc.constantFrom(0, HOUR_MS, 2 * HOUR_MS),
    untilMs: fc.constantFrom(HOUR_MS, 2 * HOUR_MS, 3 * HOUR_MS, 30 * HOUR_MS),
    afterAcks: fc.boolean(),
  }),
  { minLength: 1, maxLength: 6 },
);

/** Compared as it is with what the database answers, so its prototype is the usual one. */
const earlier = fc
  .record(
    {
      status: fc.constantFrom('COMPLETE', 'INCOMPLETE', 'STALE'),
      findings: fc.uniqueArray(
        fc.constantFrom(
          { code: 'OVERRUN', blocking: true, subject: 'step 1 attempt 1', detail: '7 micro-USD above the grant' },
          { code: 'HOLLOW', blocking: true, subject: 'logs/start_trace', detail: 'as it was then' },
          { code: 'DRIFT', blocking: false, subject: 'policies/other', detail: 'acknowledged, never expected' },
        ),
        { maxLength: 2, selector: (one) => one.code },
      ),
    },
    { noNullPrototype: true },
  )
  .filter(({ status, findings }) => status !== 'COMPLETE' || !findings.some((one) => one.blocking));

const outcome = fc.constantFrom('succeeded', 'failed', 'denied', 'killed');
const evidence = fc.constantFrom<AckFact['evidence']>(
  { table: 'observe.events', seq: 1 },
  { table: 'observe.events', seq: 9 },
  { table: 'observe.events', seq: 1, run: 'run_00000000-0000-7000-8000-000000000000' },
  { table: 'execute.evaluations', run: 'run_00000000-0000-7000-8000-000000000000' },
  { table: 'decide.runs' },
  {},
);

const ack = (usual: AckFact): fc.Arbitrary<readonly AckFact[]> =>
  mostly<readonly AckFact[]>(
    [usual],
    fc.constant([]),
    fc.constant([{ ...usual, status: 'failed' }]),
    fc.constantFrom(...EDGES_MS).map((atMs) => [{ ...usual, atMs }]),
    fc.array(
      fc.record({
        domain: fc.constant(usual.domain),
        action: fc.constant(usual.action),
        status: mostly<AckFact['status']>('done', fc.constantFrom('failed', 'rolled_back')),
        evidence: mostly(usual.evidence, evidence),
        atMs: mostly(usual.atMs, fc.integer({ min: -90_000, max: -1_500 }), fc.constantFrom(...EDGES_MS)),
      }),
      { minLength: 1, maxLength: 3 },
    ),
  );

const constants = <T extends object>(one: T): { [Key in keyof T]: fc.Arbitrary<T[Key]> } =>
  Object.fromEntries(Object.entries(one).map(([key, value]) => [key, fc.constant(value)])) as {
    [Key in keyof T]: fc.Arbitrary<T[Key]>;
  };

/** Round BOUND. */
const charge = fc.record({
  micros: fc.constantFrom(0, 4, 9, 10, 11),
  tokens: fc.constantFrom(0, 4, 5, 6),
  costMicros: fc.constantFrom(0, 4, 10, 16, 17, null),
});

/** What a trace may tell of steps that are not there, or not tell of those that are. */
const bogus: readonly EventFact[] = [
  { id: '7.1.decided', kind: 'step.decided', body: '{}' },
  { id: '7.1.executed', kind: 'step.executed', body: '{"result":"","status":"failed"}' },
  { id: '7.2.executed', kind: 'step.executed', body: '{"result":"","status":"succeeded"}' },
  { id: '7.3.executed', kind: 'step.executed', body: `{"result":"${'f'.repeat(64)}","status":"failed"}` },
  { id: '7.4.executed', kind: 'step.executed', body: '{"result":"","status":"unknown"}' },
  { id: 'hold.9.resolved', kind: 'hold.resolved', body: '{}' },
  { id: '7.call.1.refused', kind: 'call.refused', body: '{}' },
];
/** What the events of holds may say otherwise than their rows. */
const lies = [{ reason: 'MANUAL' }, { step: 1 }, { attempt: 11 }, { action: 'f'.repeat(64) }, { resolution: 'lost' }];
const lied = (event: EventFact, lie: object | null): EventFact => {
  const body = JSON.parse(event.body) as object;
  const names = lie === null || !event.id.startsWith('hold.') ? [] : Object.keys(lie);
  return names.some((name) => name in body) ? { ...event, body: JSON.stringify({ ...body, ...lie }) } : event;
};
const changed = (usual: readonly EventFact[]): fc.Arbitrary<readonly EventFact[]> =>
  fc
    .record({
      kept: mostly(usual, fc.subarray([...usual])),
      added: mostly<readonly EventFact[]>([], fc.subarray([...bogus], { minLength: 1, maxLength: 2 })),
      off: mostly(0, fc.constantFrom(-1, 1)),
      uncounted: mostly(false, fc.constant(true)),
      refusedOff: mostly(0, fc.constantFrom(1, -1, null)),
      lie: mostly<object | null>(null, fc.constantFrom(...lies)),
    })
    .map(({ kept, added, off, uncounted, refusedOff, lie }) => {
      const [closing, ...before] = kept.map((event) => lied(event, lie)).reverse();
      const all = [...added, ...before.reverse(), ...(closing === undefined ? [] : [closing])];
      const refused = all.filter((event) => event.kind === 'call.refused').length;
      const counts = {
        ...(uncounted ? {} : { events: all.length + off }),
        outcome: 'x',
        ...(refusedOff === null ? {} : { refused_calls: refused + refusedOff }),
      };
      return all.map((event) => (event.id === 'run.closing' ? { ...event, body: JSON.stringify(counts) } : event));
    });

const aTryOf = (step: number, attempt: number): fc.Arbitrary<TryFact> =>
  fc
    .record({
      kind: fc.constantFrom('model.call' as const, 'skill.call' as const),
      access: fc.constantFrom('read' as const, 'write' as const, null),
      decision: mostly<TryFact['decision']>('allow', fc.constantFrom('deny', 'other action', null)),
      result: mostly<TryFact['result']>('succeeded', fc.constantFrom('failed', 'unknown', null)),
      attempted: mostly(true, fc.constant(false)),
      overMicros: mostly(0, fc.constant(7)),
      overTokens: mostly(0, fc.constant(3)),
    })
    .chain((one) => {
      const usual = aTry({ ...one, step, attempt });
      return fc.record<TryFact>({
        ...constants(usual),
        warrant: mostly<TryFact['warrant']>(
          usual.warrant,
          fc.constantFrom('issued', 'redeemed', 'settled', 'released', 'forfeited', 'other nonce', null),
        ),
        charge: mostly(usual.charge, charge),
        reported: mostly(usual.reported, fc.constantFrom(4, 5, 6, null)),
      });
    });

const trace = (story: readonly EventFact[]): fc.Arbitrary<RunFacts['trace']> =>
  mostly<RunFacts['trace']>(
    traceOf(story),
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

export const randomFacts: fc.Arbitrary<RunFacts> = fc
  .record({
    ended: mostly(true, fc.constant(false)),
    ending: outcome,
    latched: fc.boolean(),
    dueMs: mostly(DUE_MS, fc.integer({ min: -5_000, max: -500 })),
  })
  .chain(({ ended, ending, latched, dueMs }) => {
    const phase = ended ? (ending === 'succeeded' ? 'COMPLETED' : 'FAILED') : latched ? 'FINALIZING' : 'EXECUTING';
    const said = ended || latched ? ending : null;
    const failed = said !== null && said !== 'succeeded';
    return fc
      .record({
        run: fc.constant('').map(() => newRun()),
        tenant: mostly('acme', fc.constantFrom('globex', 'strictly', 'normally', 'freely')),
        profile: fc.constantFrom('STRICT', 'STANDARD', 'OBSERVE_ONLY'),
        finalizeDueMs: fc.constant(dueMs),
        amendments: mostly<readonly AmendmentFact[]>([], amendments),
        earlier: mostly<RunFacts['earlier']>(null, earlier),
        expectations: mostly(FOUR, fc.subarray([...FOUR]), fc.constant(FOUR.map((one) => ({ ...one, dueMs: DUE_MS })))),
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
        kind: mostly<RunFacts['kind']>('governedRun', fc.constant('own')),
        tries: fc.tuple(aTryOf(1, 1), aTryOf(1, 2), aTryOf(2, 1)).chain((all) => fc.subarray(all)),
        holds: randomHolds,
        start: randomStart,
        forged: mostly<readonly string[]>([], fc.constant(['u-1', 'u-2'])),
        refused: mostly<readonly string[]>([], fc.constant(['other-'])),
        brokenSeqs: mostly<readonly number[]>([], fc.constant([2])),
        altered: mostly(false, fc.constant(true)),
      })
      .map((facts) => ({ ...facts, tries: [...facts.tries, ...triesAfter(facts.holds)] }))
      .chain((facts) =>
        fc
          .record({
            answer: mostly(answerOf(facts), fc.constantFrom(null, contentOf({ step: 1, attempt: 1 }), 'f'.repeat(64))),
            story: mostly(storyOf(facts), changed(storyOf(facts))),
          })
          .chain(({ answer, story }) =>
            trace(story).map((known): RunFacts => ({ ...facts, answer, story, trace: known })),
          ),
      );
  });
