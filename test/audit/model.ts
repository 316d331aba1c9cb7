/** The verdict once more, as naively as it can be said: one run at a time, straight from the design. Never shared with src. */
import { BOUND, EXPIRES_MS, type AckFact, type ExpectationFact, type RunFacts, type TryFact } from './facts.js';
import { answerTo, judgeHolds } from './hold-model.js';
import { faultOf, judgeAnswer, judgeStory } from './story-model.js';

export type ModelFinding = {
  readonly code: string;
  readonly blocking: boolean;
  readonly subject: string;
  readonly detail: string;
};
export type ModelVerdict = { readonly status: string; readonly findings: readonly ModelFinding[] };

const TABLES: Readonly<Record<string, string>> = {
  logs: 'observe.events',
  policies: 'execute.evaluations',
  incidents: 'execute.incident_occurrences',
  orchestrator: 'decide.runs',
};
const TERMINAL = ['COMPLETED', 'FAILED'];

/** When the run must be final, after its amendments: each hold may ask once per reason, in time, and not of a run that is final. */
function dueInForce({ finalizeDueMs, amendments, acks }: RunFacts): number {
  let due = finalizeDueMs;
  const seen = new Set<string>();
  const opened = new Map<number, Open>();
  const ended = new Map<number, number>();
  for (const { hold, reason, fromMs, untilMs, afterAcks } of amendments) {
    const final = afterAcks && acks.some((ack) => ack.domain === 'orchestrator' && ack.action === 'finalize_run');
    if (due < 0 || final || seen.has(`${hold} ${reason}`)) continue;
    seen.add(`${hold} ${reason}`);
    if (reason === 'hold_opened') opened.set(hold, { fromMs, untilMs });
    else ended.set(hold, untilMs);
    const open = [...opened].map(([number, one]) => ({
      ...one,
      untilMs: Math.min(one.untilMs, ended.get(number) ?? Infinity),
    }));
    due = Math.min(finalizeDueMs + heldMs(open), EXPIRES_MS);
  }
  return due;
}

export type Open = { readonly fromMs: number; readonly untilMs: number };
/** How long at least one was open: between two neighbouring edges either all the time or never. */
export function heldMs(open: readonly Open[]): number {
  const edges = open.flatMap(({ fromMs, untilMs }) => [fromMs, untilMs]).sort((one, other) => one - other);
  return edges.reduce((sum, edge, at) => {
    const next = edges[at + 1] ?? edge;
    return open.some(({ fromMs, untilMs }) => fromMs <= edge && next <= untilMs) ? sum + (next - edge) : sum;
  }, 0);
}

/** Null while PENDING, unless a verdict stands already. `base` is when the facts were planted; it is judged a moment later. */
export function judgeModel(planted: RunFacts, base: Date): ModelVerdict | null {
  const facts = { ...planted, finalizeDueMs: dueInForce(planted) };
  const { earlier } = facts;
  const ruled = rule(facts, base);
  // What stands and cannot be read: that, and what makes it STALE, is all that can be said.
  if (earlier === 'unreadable')
    return ruled === null
      ? { status: 'INCOMPLETE', findings: [7 as unknown as ModelFinding] }
      : {
          status: ruled.status === 'STALE' ? 'STALE' : 'INCOMPLETE',
          findings: inOrder([
            ...(ruled.status === 'STALE' ? ruled.findings.filter(makesStale) : []),
            { code: 'JUDGE_ERROR', blocking: true, subject: 'judge', detail: 'SQLSTATE 22023' },
          ]),
        };
  if (earlier === null || ruled === null) return ruled ?? earlier;
  const known = new Set(ruled.findings.map(sortKey));
  const findings = [...ruled.findings, ...earlier.findings.filter((one) => one.blocking && !known.has(sortKey(one)))];
  const blocked = findings.some((one) => one.blocking) && ruled.status === 'COMPLETE' ? 'INCOMPLETE' : ruled.status;
  return { status: worse(blocked, earlier.status), findings: inOrder(findings) };
}

const makesStale = ({ code, subject }: ModelFinding): boolean =>
  subject === 'orchestrator/finalize_run' && (code === 'MISSING' || code === 'LATE');

const BADNESS = ['COMPLETE', 'INCOMPLETE', 'STALE'];
const worse = (one: string, other: string): string => (BADNESS.indexOf(one) > BADNESS.indexOf(other) ? one : other);

function rule(facts: RunFacts, base: Date): ModelVerdict | null {
  const iso = (ms: number): string => new Date(base.getTime() + ms).toISOString().replace('Z', '000Z');
  const dones = facts.acks.filter(
    (ack) => ack.action === 'finalize_run' && ack.domain === 'orchestrator' && ack.status === 'done',
  );
  const finalMs = dones.length === 0 ? null : Math.min(...dones.map((ack) => ack.atMs));
  const overdue = facts.finalizeDueMs < 0;
  if (finalMs === null && !overdue) return null;
  const stale = finalMs === null ? overdue : finalMs > facts.finalizeDueMs;

  const findings: ModelFinding[] = [];
  const find = (code: string, blocking: boolean, subject: string, detail: string): void => {
    findings.push({ code, blocking, subject, detail });
  };
  for (const expectation of facts.expectations) judgePromise(facts, expectation, finalMs !== null, iso, find);
  facts.acks.forEach((ack, at) => judgeEvidence(facts, ack, at + 1, find));
  for (const subject of new Set(facts.acks.map((ack) => `${ack.domain}/${ack.action}`)))
    if (!facts.expectations.some((one) => `${one.domain}/${one.action}` === subject))
      find('DRIFT', false, subject, 'acknowledged, never expected');
  for (const one of facts.tries) judgeTry(facts, one, find);
  judgeOutcome(facts, find);
  judgeAnswer(facts, find);
  judgeStory(facts, find);
  judgeHolds(facts, find);
  judgeTrace(facts, finalMs !== null, find);
  if (facts.altered) find('ALTERED', true, 'hold 1', 'it is not there');
  for (const id of facts.forged) find('FORGED_APPROVAL', true, id, 'forged');
  for (const id of facts.refused) find('REFUSED_HISTORY', false, `${id}${facts.run}`, 'not_this_history');

  return {
    status: stale ? 'STALE' : findings.some((one) => one.blocking) ? 'INCOMPLETE' : 'COMPLETE',
    findings: inOrder(findings),
  };
}

type Find = (code: string, blocking: boolean, subject: string, detail: string) => void;
const sortKey = (one: ModelFinding): string =>
  [one.blocking ? '0' : '1', one.code, one.subject, one.detail].join('\u0001');
const inOrder = (findings: readonly ModelFinding[]): readonly ModelFinding[] =>
  [...findings].sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));

function judgePromise(
  facts: RunFacts,
  promise: ExpectationFact,
  final: boolean,
  iso: (ms: number) => string,
  find: Find,
): void {
  const subject = `${promise.domain}/${promise.action}`;
  const acks = facts.acks.filter((ack) => ack.domain === promise.domain && ack.action === promise.action);
  const last = acks.at(-1)?.status;
  if (last === 'failed') find('FAILED', true, subject, 'acknowledged as failed');
  if (last === 'rolled_back') find('ROLLED_BACK', true, subject, 'acknowledged as rolled_back');
  const failed = facts.outcome !== null && facts.outcome !== 'succeeded';
  if (promise.condition === 'if_failed' && !failed) return;
  const dueMs = promise.due === 'finalize' ? facts.finalizeDueMs : promise.dueMs;
  const doneMs = acks.filter((ack) => ack.status === 'done').map((ack) => ack.atMs);
  const lacks = subject === 'orchestrator/finalize_run' ? doneMs.length === 0 : acks.length === 0;
  if (lacks && (final || dueMs < 0)) find('MISSING', true, subject, `not acknowledged by ${iso(dueMs)}`);
  const first = Math.min(...doneMs);
  if (doneMs.length > 0 && first > dueMs)
    find('LATE', subject === 'orchestrator/finalize_run', subject, `due ${iso(dueMs)}, acknowledged ${iso(first)}`);
}

function judgeEvidence(facts: RunFacts, ack: AckFact, n: number, find: Find): void {
  if (ack.status !== 'done') return;
  const lie = lieOf(facts, ack);
  if (lie !== null) find('HOLLOW', true, `${ack.domain}/${ack.action}`, `ack ${n}: ${lie}`);
}

function lieOf(facts: RunFacts, { domain, evidence }: AckFact): string | null {
  const { evaluation, incident, outcome, phase } = facts;
  if (evidence['table'] !== TABLES[domain]) return `the evidence is not a row of ${TABLES[domain] ?? 'any domain'}`;
  if (evidence['run'] !== undefined && evidence['run'] !== `run_${facts.run}`) return "the evidence is another run's";
  if (domain === 'logs') return facts.trace.seqs.some((seq) => seq === evidence['seq']) ? null : 'no such event';
  if (domain === 'orchestrator') return TERMINAL.includes(phase) ? null : `the run is in phase ${phase}`;
  if (domain === 'incidents') {
    if (incident === null) return 'no incident';
    return incident.outcome === outcome
      ? null
      : `the incident says ${incident.outcome}, the run ${outcome ?? 'nothing'}`;
  }
  if (evaluation === null) return 'no evaluation';
  if (!['run.outcome', 'run.repair'].includes(evaluation.kind))
    return 'the evaluation names no decision about the outcome';
  return evaluation.outcome === outcome
    ? null
    : `the evaluation says ${evaluation.outcome}, the run ${outcome ?? 'nothing'}`;
}

function judgeTry(facts: RunFacts, one: TryFact, find: Find): void {
  const subject = `step ${one.step} attempt ${one.attempt}`;
  const allowed = one.decision === 'allow';
  const warranted = one.warrant === 'redeemed' || one.warrant === 'settled' || one.warrant === 'forfeited';
  const fault = faultOf(facts, one, allowed && warranted);
  if (fault !== null) find('MISMATCH', true, subject, fault);
  overrun(one, subject, find);
  if (!one.attempted) return;
  if (!allowed) find('UNWARRANTED', true, subject, 'no decision allowed it');
  else if (!warranted) find('UNWARRANTED', true, subject, 'no warrant was redeemed for it');
  if (one.result === 'unknown' || (one.result === null && TERMINAL.includes(facts.phase))) {
    const cause = one.result === 'unknown' ? 'lost' : 'no result';
    const later = facts.tries.some(
      (other) =>
        other.attempted && other.step === one.step && other.attempt > one.attempt && other.result === 'succeeded',
    );
    const mild = allowed && (one.kind === 'model.call' || one.access === 'read');
    const answer = answerTo(facts, one);
    const why = later ? ', made good by a later attempt' : answer === null ? '' : `, answered ${answer}`;
    find('UNKNOWN_RESULT', !mild && !later && answer === null, subject, `${cause}${why}`);
  }
}

function overrun(one: TryFact, subject: string, find: Find): void {
  const tokens = one.charge.tokens - BOUND.tokens;
  const over = [
    ...(one.overMicros > 0 ? [`${one.overMicros} micro-USD`] : []),
    ...(tokens > 0 ? [`${tokens} tokens`] : []),
  ];
  if (one.warrant !== null && over.length > 0) find('OVERRUN', true, subject, `${over.join(' and ')} above the grant`);
}

function judgeOutcome({ phase, outcome, incident }: RunFacts, find: Find): void {
  if (!TERMINAL.includes(phase)) return;
  if (outcome === 'succeeded' && incident !== null) find('MISMATCH', true, 'outcome', 'succeeded, with an incident');
  if (outcome !== 'succeeded' && incident === null)
    find('MISMATCH', true, 'outcome', `${outcome ?? ''}, without an incident`);
}

function judgeTrace({ trace, brokenSeqs }: RunFacts, final: boolean, find: Find): void {
  const { head, seqs } = trace;
  const contiguous = (length: number): boolean =>
    Array.from({ length }, (_, at) => at + 1).every((seq) => seqs.includes(seq));
  const broken = (detail: string): void => find('TRACE_BROKEN', true, 'trace', detail);
  if (head === null) broken('no head');
  else if (seqs.length !== head.length) broken(`the head says ${head.length} events, there are ${seqs.length}`);
  else if (!contiguous(head.length)) broken('the numbers are not contiguous');
  else if (head.hash === 'wrong') broken('the head is not the hash of the last event');
  else if (!head.closed && final) broken('not closed');
  for (const seq of brokenSeqs) find('TRACE_BROKEN', true, `event ${seq}`, 'does not follow');
}
