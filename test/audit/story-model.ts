/** What a run's answer, trace and settlements must be by its rows, once more and naively; never shared with src. */
import { BOUND, contentOf, type RunFacts, type TryFact } from './facts.js';
import { actionOf, reasonOf, stepOf, type HoldFact } from './hold-facts.js';

type Find = (code: string, blocking: boolean, subject: string, detail: string) => void;
const TERMINAL = ['COMPLETED', 'FAILED'];

/** Why what was settled is not what was done. */
export function faultOf({ phase }: RunFacts, one: TryFact, warranted: boolean): string | null {
  const state = one.warrant === 'other nonce' ? 'settled' : one.warrant;
  const ended = TERMINAL.includes(phase);
  const { micros, tokens, costMicros } = one.charge;
  const charged = micros > 0 || tokens > 0 || one.overMicros > 0;
  if (!one.attempted) {
    if (state === null) return null;
    if (state === 'released') return charged ? 'released, and charged' : null;
    if (state === 'issued') return ended ? 'issued when the run had ended' : null;
    return `${state} without an attempt`;
  }
  if (!warranted) return null;
  if (state === 'redeemed') return ended ? 'redeemed when the run had ended' : null;
  if (one.result === null) return `${state ?? ''} without a result`;
  if (state === 'forfeited') {
    if (one.result !== 'unknown' && one.overMicros === 0) return `forfeited, and ${one.result}`;
    if (one.result === 'failed') return 'forfeited, and failed';
    return micros === BOUND.micros && tokens === BOUND.tokens ? null : 'forfeited, and not in full';
  }
  if (one.result === 'unknown') return 'settled, and unknown';
  if (one.result === 'failed') return charged ? 'failed, and charged' : null;
  if (one.kind !== 'model.call') return charged ? `${one.kind}, and charged` : null;
  if (tokens !== BOUND.tokens && tokens !== one.reported) return 'settled at other tokens than reported';
  if (micros > BOUND.micros || (one.overMicros > 0 && micros < BOUND.micros))
    return 'settled on the wrong side of its bound';
  const total = micros + one.overMicros;
  // Whole micro-USD are planted, so rounding up once leaves at most one more.
  return costMicros !== null && total >= costMicros && total <= costMicros + 1 ? null : 'settled at another cost';
}

export function judgeAnswer(facts: RunFacts, find: Find): void {
  const succeeded = facts.tries.filter((one) => one.attempted && one.result === 'succeeded');
  if (facts.kind === 'governedRun' && facts.outcome === 'succeeded') {
    const models = succeeded.filter((one) => one.decision !== null && one.kind === 'model.call');
    const [last] = [...models].sort((a, b) => b.step - a.step || b.attempt - a.attempt);
    if (facts.answer === null) find('MISMATCH', true, 'answer', 'succeeded, without an answer');
    else if (last === undefined || contentOf(last) !== facts.answer)
      find('MISMATCH', true, 'answer', 'it is not what the last model call that succeeded gave');
  } else if (facts.answer !== null && !succeeded.some((one) => contentOf(one) === facts.answer))
    find('MISMATCH', true, 'answer', 'it is not what an attempt that succeeded gave');
}

const TOLD = ['step.decided', 'step.executed', 'run.authorized', 'hold.opened', 'hold.resolved'];

export function judgeStory(
  { tries, evaluation, kind, outcome, trace, story, holds, start }: RunFacts,
  find: Find,
): void {
  const events = story.filter((_, at) => trace.seqs.includes(at + 1));
  const rows = [
    ...tries.filter((one) => one.decision !== null).map((one) => ({ ...one, id: 'decided', what: 'decision' })),
    ...tries.filter((one) => one.attempted).map((one) => ({ ...one, id: 'executed', what: 'attempt' })),
    ...(evaluation === null || evaluation.kind.startsWith('run.')
      ? []
      : [{ step: 99, attempt: 1, attempted: false, id: 'decided', what: 'decision' }]),
    ...holds.flatMap(({ asked }, at) =>
      asked === null ? [] : [{ step: stepOf(at), attempt: 1, attempted: false, id: 'decided', what: 'decision' }],
    ),
  ].map((one) => ({ ...one, id: `${one.step}.${one.attempt}.${one.id}`, required: true }));
  const other = { attempted: false, required: true };
  const all = [
    ...rows,
    ...(start === null ? [] : [{ ...other, id: 'run.authorized', what: 'decision' }]),
    ...holds.flatMap(({ resolution }, at) => [
      { ...other, id: `hold.${at + 1}.opened`, what: 'hold' },
      ...(resolution === null ? [] : [{ ...other, id: `hold.${at + 1}.resolved`, what: 'hold' }]),
    ]),
  ];
  for (const event of events) {
    const body = JSON.parse(event.body) as Readonly<Record<string, unknown>>;
    const never =
      event.kind === 'step.executed' &&
      body['result'] === '' &&
      (body['status'] === 'failed' || body['status'] === 'unknown');
    if (TOLD.includes(event.kind) && !all.some((row) => row.id === event.id) && !never)
      find('HOLLOW', true, `event ${event.id}`, 'there is no row that it tells of');
  }
  holds.forEach((hold, at) => {
    judgeToldHold(hold, at, events, find);
  });
  const closing = events.find((event) => event.id === 'run.closing');
  if (closing === undefined || trace.head === null) return;
  const repaired = evaluation?.kind === 'run.repair';
  const said = JSON.parse(closing.body) as Readonly<Record<string, unknown>>;
  const { events: counted, refused_calls: refusals } = said;
  const refused = events.filter((event) => event.kind === 'call.refused').length;
  if (refusals !== refused && !(refusals === undefined && (repaired || refused === 0)))
    find('TRACE_BROKEN', true, 'event run.closing', `it does not count the ${refused} calls refused`);
  if (counted !== trace.head.length && !(repaired && counted === undefined))
    find('TRACE_BROKEN', true, 'event run.closing', `it does not count the ${trace.head.length} events`);
  if (outcome !== 'succeeded' || repaired) return;
  for (const row of all)
    if (row.required && !events.some((event) => event.id === row.id) && (kind === 'governedRun' || row.attempted))
      find('TRACE_BROKEN', true, `event ${row.id}`, `the trace does not tell of this ${row.what}`);
}

/** Each event of a hold says what its row does. */
function judgeToldHold(hold: HoldFact, at: number, events: RunFacts['story'], find: Find): void {
  const told = {
    opened: { reason: reasonOf(hold), step: stepOf(at), attempt: 1, action: actionOf(hold) ?? '' },
    resolved: { resolution: hold.resolution },
  };
  for (const [what, members] of Object.entries(told)) {
    const event = events.find(({ id }) => id === `hold.${at + 1}.${what}`);
    if (event === undefined) continue;
    const body = JSON.parse(event.body) as Readonly<Record<string, unknown>>;
    if (Object.entries(members).some(([name, value]) => body[name] !== value))
      find('HOLLOW', true, `event ${event.id}`, `it says of hold ${at + 1} what its row does not`);
  }
}
