/** Facts about a run as plain data: what tests plant in the database, and what the naive model judges. Times are milliseconds from now. */
import { randomBytes } from 'node:crypto';
import { storyOfHolds, type HoldFact, type StartFact } from './hold-facts.js';

export type AckFact = {
  readonly domain: string;
  readonly action: string;
  readonly status: 'done' | 'failed' | 'rolled_back';
  readonly evidence: Readonly<Record<string, string | number>>;
  readonly atMs: number;
};
export type ExpectationFact = {
  readonly domain: string;
  readonly action: string;
  readonly condition: 'always' | 'if_failed';
  readonly due: 'open' | 'finalize';
  readonly dueMs: number;
};
export type TryFact = {
  readonly step: number;
  readonly attempt: number;
  readonly kind: 'model.call' | 'skill.call';
  readonly access: 'read' | 'write' | null;
  readonly decision: 'allow' | 'deny' | 'other action' | null;
  readonly warrant: 'issued' | 'redeemed' | 'settled' | 'released' | 'forfeited' | 'other nonce' | null;
  readonly result: 'succeeded' | 'failed' | 'unknown' | null;
  /** Whether there is an attempt at all; without one there is no result either. */
  readonly attempted: boolean;
  /** What the reservation was closed at, of the bounds BOUND; the cost is exact, and null where none was kept. */
  readonly charge: { readonly micros: number; readonly tokens: number; readonly costMicros: number | null };
  /** Tokens that the provider reported; null where it reported none. */
  readonly reported: number | null;
  readonly overMicros: number;
  readonly overTokens: number;
};
/** One event: at number n stands the n-th of a run's story, and any other where the story is shorter. */
export type EventFact = { readonly id: string; readonly kind: string; readonly body: string };
/** One call of audit.amend: as a hold asks for it, before or after the acks were given. */
export type AmendmentFact = {
  readonly hold: number;
  readonly reason: 'hold_opened' | 'hold_ended';
  /** While the hold is open, as far as it is known. */
  readonly fromMs: number;
  readonly untilMs: number;
  readonly afterAcks: boolean;
};
/** A verdict that stands already; `unreadable` is one whose findings are no findings. */
export type EarlierFact = {
  readonly status: 'COMPLETE' | 'INCOMPLETE' | 'STALE';
  readonly findings: readonly {
    readonly code: string;
    readonly blocking: boolean;
    readonly subject: string;
    readonly detail: string;
  }[];
};
type TraceFact = {
  readonly head: { readonly length: number; readonly hash: 'last' | 'wrong'; readonly closed: boolean } | null;
  readonly seqs: readonly number[];
};
export type RunFacts = {
  readonly run: string;
  readonly tenant: string;
  readonly profile: 'STRICT' | 'STANDARD' | 'OBSERVE_ONLY';
  /** As declared. */
  readonly finalizeDueMs: number;
  readonly amendments: readonly AmendmentFact[];
  readonly earlier: EarlierFact | 'unreadable' | null;
  readonly expectations: readonly ExpectationFact[];
  readonly acks: readonly AckFact[];
  readonly phase: string;
  readonly outcome: string | null;
  readonly kind: 'governedRun' | 'own';
  readonly answer: string | null;
  readonly evaluation: { readonly outcome: string; readonly kind: string } | null;
  readonly incident: { readonly outcome: string } | null;
  readonly tries: readonly TryFact[];
  readonly trace: TraceFact;
  readonly story: readonly EventFact[];
  readonly holds: readonly HoldFact[];
  /** Null: no decision about its start is there at all. */
  readonly start: StartFact | null;
  readonly forged: readonly string[];
  readonly refused: readonly string[];
  readonly brokenSeqs: readonly number[];
  /** Whether the sample found that its rows are not what the receipt covers. */
  readonly altered: boolean;
};

/** How long after planting every planted contract ends whatever anyone says. */
export const EXPIRES_MS = 86_400_000;

let made = 0;
/** Version 7 in shape; counted, so that tests never collide. */
export function newRun(): string {
  made += 1;
  const time = (Date.now() * 1000 + made).toString(16).padStart(14, '0').slice(0, 12);
  const random = randomBytes(8).toString('hex');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(0, 3)}-8${random.slice(3, 6)}-${random.slice(4)}`;
}

const finalize = { condition: 'always', due: 'finalize' } as const;
export const FOUR: readonly ExpectationFact[] = [
  { domain: 'incidents', action: 'create_incident', condition: 'if_failed', due: 'finalize', dueMs: 0 },
  { domain: 'policies', action: 'evaluate_policy', ...finalize, dueMs: 0 },
  { domain: 'orchestrator', action: 'finalize_run', ...finalize, dueMs: 0 },
  { domain: 'logs', action: 'start_trace', condition: 'always', due: 'open', dueMs: -50_000 },
];

export const TRACE_ACK: AckFact = {
  domain: 'logs',
  action: 'start_trace',
  status: 'done',
  evidence: { table: 'observe.events', seq: 1 },
  atMs: -60_000,
};
export const POLICY_ACK: AckFact = {
  domain: 'policies',
  action: 'evaluate_policy',
  status: 'done',
  evidence: { table: 'execute.evaluations' },
  atMs: -3_000,
};
export const INCIDENT_ACK: AckFact = {
  domain: 'incidents',
  action: 'create_incident',
  status: 'done',
  evidence: { table: 'execute.incident_occurrences' },
  atMs: -2_500,
};
export const FINAL_ACK: AckFact = {
  domain: 'orchestrator',
  action: 'finalize_run',
  status: 'done',
  evidence: { table: 'decide.runs' },
  atMs: -2_000,
};

/** What every planted reservation set aside. */
export const BOUND = { micros: 10, tokens: 5 } as const;
const NOTHING = { micros: 0, tokens: 0, costMicros: null };

/** As a settlement makes it of how the attempt went. */
export function chargeOf(one: Pick<TryFact, 'kind' | 'result' | 'overMicros' | 'overTokens'>): TryFact['charge'] {
  const over = one.overMicros > 0 || one.overTokens > 0;
  if (one.result === 'failed' || (one.result === 'succeeded' && one.kind !== 'model.call' && !over)) return NOTHING;
  return { micros: BOUND.micros, tokens: BOUND.tokens + one.overTokens, costMicros: BOUND.micros + one.overMicros };
}

export function aTry(over: Partial<TryFact> = {}): TryFact {
  const one = {
    step: 1,
    attempt: 1,
    kind: 'model.call',
    access: null,
    decision: 'allow',
    result: 'succeeded',
    attempted: true,
    overMicros: 0,
    overTokens: 0,
    ...over,
  } as const;
  return {
    warrant: one.result === 'unknown' || one.result === null ? 'forfeited' : 'settled',
    charge: chargeOf(one),
    reported: BOUND.tokens + one.overTokens,
    ...one,
  };
}

/** Of the attempt's content, where it succeeded. */
export const contentOf = ({ step, attempt }: Pick<TryFact, 'step' | 'attempt'>): string =>
  `${step}${attempt}`.padEnd(64, 'd');
export const answerOf = ({ tries }: Pick<RunFacts, 'tries'>): string | null => {
  const last = tries.filter((one) => one.attempted && one.kind === 'model.call' && one.result === 'succeeded').at(-1);
  return last === undefined ? null : contentOf(last);
};

/** What a trace tells of these rows, its last event included. */
export function storyOf(
  facts: Pick<RunFacts, 'tries' | 'evaluation' | 'outcome' | 'holds' | 'start'>,
): readonly EventFact[] {
  const told = facts.tries.flatMap(({ step, attempt, decision, result, attempted }) => [
    ...(decision === null ? [] : [{ id: `${step}.${attempt}.decided`, kind: 'step.decided', body: '{}' }]),
    ...(attempted
      ? [
          {
            id: `${step}.${attempt}.executed`,
            kind: 'step.executed',
            body: JSON.stringify({ result: 'f'.repeat(64), status: result }),
          },
        ]
      : []),
  ]);
  const strange = !['run.outcome', 'run.repair'].includes(facts.evaluation?.kind ?? 'run.outcome');
  const all = [
    ...storyOfHolds(facts),
    ...told,
    ...(strange ? [{ id: '99.1.decided', kind: 'step.decided', body: '{}' }] : []),
  ];
  const closing = JSON.stringify({ events: all.length + 1, outcome: facts.outcome ?? '' });
  return [...all, { id: 'run.closing', kind: 'run.closing', body: closing }];
}
export const traceOf = (story: readonly EventFact[]): TraceFact => ({
  head: { length: story.length, hash: 'last', closed: true },
  seqs: story.map((_, at) => at + 1),
});

/** A run that succeeded, everything in order: COMPLETE without a finding. */
export function aRun(over: Partial<RunFacts> = {}): RunFacts {
  const { story = storyOf({ ...PLAIN, ...over }), ...rest } = over;
  return {
    run: newRun(),
    ...PLAIN,
    answer: answerOf({ ...PLAIN, ...over }),
    story,
    trace: traceOf(story),
    ...rest,
  };
}
const PLAIN: Omit<RunFacts, 'run' | 'story' | 'trace' | 'answer'> = {
  tenant: 'acme',
  profile: 'STANDARD',
  finalizeDueMs: 60_000,
  amendments: [],
  earlier: null,
  expectations: FOUR,
  acks: [TRACE_ACK, POLICY_ACK, FINAL_ACK],
  phase: 'COMPLETED',
  outcome: 'succeeded',
  kind: 'governedRun',
  evaluation: { outcome: 'succeeded', kind: 'run.outcome' },
  incident: null,
  tries: [aTry()],
  forged: [],
  refused: [],
  brokenSeqs: [],
  altered: false,
  holds: [],
  start: null,
};

/** A run that failed in an orderly way: COMPLETE too. */
export const aFailedRun = (over: Partial<RunFacts> = {}): RunFacts =>
  aRun({
    phase: 'FAILED',
    outcome: 'failed',
    acks: [TRACE_ACK, POLICY_ACK, INCIDENT_ACK, FINAL_ACK],
    evaluation: { outcome: 'failed', kind: 'run.outcome' },
    incident: { outcome: 'failed' },
    ...over,
  });
