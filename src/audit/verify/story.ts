/**
 * Compares the trace with the records that it mentions, in both directions, and with the counts in its last event. Part
 * of verify.ts; pure. Does for a bundle what sql/repeatable/audit/0618_story_findings.sql does for the rows, and searches bytes in
 * the same way.
 */
import { recordKey, type DecisionRecord, type HoldRecord } from '../evidence/evidence.js';
import type { Records } from '../evidence/records.js';
import type { Facts } from '../receipts/receipt.js';

/** A finding's code and subject, with a space between. */
export type Derived = string;
export type ToldEvent = { readonly id: string; readonly kind: string; readonly bytes: string };

const TOLD = ['step.decided', 'step.executed', 'run.authorized', 'hold.opened', 'hold.resolved'];

/** @param stated the events that the receipt states */
export function storyFindings(stated: readonly ToldEvent[], records: Records, facts: Facts): readonly Derived[] {
  const told = new Map(stated.filter(({ kind }) => TOLD.includes(kind)).map((event) => [event.id, event]));
  const there = toldOf(records);
  const hollow = [...told.values()].filter((event) => !there.has(event.id) && !neverBegan(event));
  return [
    ...hollow.map(({ id }): Derived => `HOLLOW event ${id}`),
    ...holdFindings(stated, records.holds),
    ...endFindings(stated, { told, there, records, facts }),
  ];
}

/** Whether an event has a member with this value, as canonical JSON writes both. */
const says = ({ bytes }: ToldEvent, member: string): boolean => bytes.includes(member);

/** The warrant was refused, nobody took the step, or nothing was heard of it: told without a result. */
const neverBegan = (event: ToldEvent): boolean =>
  event.kind === 'step.executed' &&
  says(event, '"result":""') &&
  (says(event, '"status":"failed"') || says(event, '"status":"unknown"'));

/** The ids of the events that the records want told; by each, the step's key, or null of a hold. */
function toldOf({ decisions, attempts, holds }: Records): ReadonlyMap<string, string | null> {
  const decided = decisions.flatMap((one) => idsOf(one).map((id) => [id, recordKey(one)] as const));
  const executed = attempts.map((one) => [`${recordKey(one)}.executed`, recordKey(one)] as const);
  const held = holds.flatMap(({ n, resolution }) => [
    [`hold.${n}.opened`, null] as const,
    ...(resolution === null ? [] : [[`hold.${n}.resolved`, null] as const]),
  ]);
  return new Map<string, string | null>([...decided, ...executed, ...held]);
}

/** A run's outcome and its repair are told by the events that end it, a start that was held at once by its hold. */
function idsOf({ step, attempt, kind, effect }: DecisionRecord): readonly string[] {
  if (kind === 'run.outcome' || kind === 'run.repair') return [];
  const started = kind === 'run.start' && effect === 'allow';
  if (kind === 'run.start' && attempt === 1 && effect === 'pause') return [];
  if (started && attempt === 1) return ['run.authorized'];
  return [`${step}.${attempt}.decided`, ...(started && step === 0 ? ['run.authorized'] : [])];
}

/** Of several holds at once each is told with its own key and its own end. */
function holdFindings(stated: readonly ToldEvent[], holds: readonly HoldRecord[]): readonly Derived[] {
  if (holds.length === 0) return [];
  const events = new Map(stated.filter(({ id }) => id.startsWith('hold.')).map((event) => [event.id, event]));
  return holds.flatMap((hold) => {
    const [opened, resolved] = [events.get(`hold.${hold.n}.opened`), events.get(`hold.${hold.n}.resolved`)];
    const otherKey =
      opened !== undefined &&
      !(
        says(opened, `"reason":"${hold.reason}"`) &&
        says(opened, `"step":${hold.step},`) &&
        says(opened, `"attempt":${hold.attempt},`) &&
        says(opened, `"action":"${hold.actionDigest ?? ''}"`)
      );
    const otherEnd =
      resolved !== undefined && (hold.resolution === null || !says(resolved, `"resolution":"${hold.resolution}"`));
    return [
      ...(otherKey ? [`HOLLOW event hold.${hold.n}.opened`] : []),
      ...(otherEnd ? [`HOLLOW event hold.${hold.n}.resolved`] : []),
    ];
  });
}

type Ended = {
  readonly told: ReadonlyMap<string, ToldEvent>;
  readonly there: ReadonlyMap<string, string | null>;
  readonly records: Records;
  readonly facts: Facts;
};

function endFindings(stated: readonly ToldEvent[], { told, there, records, facts }: Ended): readonly Derived[] {
  const { runs, attempts, decisions, acks } = records;
  const finalized = acks.some(
    ({ domain, action, status }) => domain === 'orchestrator' && action === 'finalize_run' && status === 'done',
  );
  const open = finalized && !stated.some(({ kind }) => kind === 'run.closing') ? ['TRACE_BROKEN trace'] : [];
  const closing = stated.find(({ id }) => id === 'run.closing');
  if (closing === undefined) return open;
  const repaired = decisions.some(({ kind, effect }) => kind === 'run.repair' && effect === 'allow');
  const counts = countsAll(closing, repaired, {
    events: stated.length,
    refused: stated.filter(({ kind }) => kind === 'call.refused').length,
  });
  const miscounted = counts ? [] : ['TRACE_BROKEN event run.closing'];
  // A run cut short may not have heard of all that was written down for it; an own workflow may give up a step nobody began.
  if (facts.outcome !== 'succeeded' || repaired) return [...open, ...miscounted];
  const began = new Set(attempts.map(recordKey));
  const untold = [...there].filter(
    ([id, key]) => !told.has(id) && (runs[0]?.kind === 'governedRun' || (key !== null && began.has(key))),
  );
  return [...open, ...miscounted, ...untold.map(([id]): Derived => `TRACE_BROKEN event ${id}`)];
}

type Counts = { readonly events: number; readonly refused: number };

/** Who repairs a run did not see what it did before. */
function countsAll(closing: ToldEvent, repaired: boolean, { events, refused }: Counts): boolean {
  const counts = (name: string, count: number): boolean =>
    says(closing, `"${name}":${count},`) || says(closing, `"${name}":${count}}`);
  return (
    (counts('events', events) || (repaired && !says(closing, '"events":'))) &&
    (counts('refused_calls', refused) || ((repaired || refused === 0) && !says(closing, '"refused_calls":')))
  );
}
