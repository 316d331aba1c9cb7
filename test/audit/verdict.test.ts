/** Each finding from a case that was planted, with the whole verdict expected. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { OpenDatabase } from '../../src/platform/postgres/database.js';
import { createStack, type Stack } from '../stack/stack.js';
import { aFailedRun, aRun, aTry, FINAL_ACK, FOUR, POLICY_ACK, TRACE_ACK, type RunFacts } from './facts.js';
import { judgePlanted, openAs } from './judged.js';
import type { ModelFinding } from './model.js';

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

const judge = (facts: RunFacts) => judgePlanted(stack.admin, audit, facts);
const found = (code: string, subject: string, detail: unknown, blocking = true): ModelFinding => ({
  code,
  blocking,
  subject,
  detail: detail as string,
});
const incomplete = (...findings: readonly ModelFinding[]) => ({ status: 'INCOMPLETE', findings });
const complete = (...findings: readonly ModelFinding[]) => ({ status: 'COMPLETE', findings });
const step = 'step 1 attempt 1';
const any = expect.any(String);
/** What the model said last, so that the run has its answer whatever happened before. */
const LAST = aTry({ step: 9 });

describe('a run with nothing wrong', () => {
  it('is COMPLETE when it succeeded', async () => {
    expect(await judge(aRun())).toEqual(complete());
  });
  it('is COMPLETE when it failed in an orderly way', async () => {
    expect(await judge(aFailedRun())).toEqual(complete());
  });
  it('is PENDING while it is open and not overdue: nothing is written, and it is looked at again when due', async () => {
    const open = aRun({
      phase: 'EXECUTING',
      outcome: null,
      acks: [TRACE_ACK],
      evaluation: null,
      trace: { head: { length: 2, hash: 'last', closed: false }, seqs: [1, 2] },
    });
    expect(await judge(open)).toBeNull();
    const [row] = await stack.admin.query(
      'SELECT judge_after = finalize_due AS looked FROM audit.contracts WHERE run_id = $1',
      [open.run],
    );
    expect(row).toEqual({ looked: true });
  });
});

describe('a run that nobody finalized in time', () => {
  it('is STALE when finalize_run is not acknowledged by finalize_due', async () => {
    const facts = aRun({
      finalizeDueMs: -1_000,
      phase: 'EXECUTING',
      outcome: null,
      acks: [TRACE_ACK, POLICY_ACK],
      evaluation: null,
    });
    expect(await judge({ ...facts, acks: [TRACE_ACK] })).toEqual({
      status: 'STALE',
      findings: [found('MISSING', 'orchestrator/finalize_run', any), found('MISSING', 'policies/evaluate_policy', any)],
    });
  });
  it('is STALE when it was acknowledged late', async () => {
    expect(await judge(aRun({ finalizeDueMs: -2_500 }))).toEqual({
      status: 'STALE',
      findings: [found('LATE', 'orchestrator/finalize_run', any)],
    });
  });
});

describe('promises', () => {
  it('MISSING: what is not there when the run is final, before its due time too', async () => {
    expect(await judge(aRun({ acks: [TRACE_ACK, FINAL_ACK] }))).toEqual(
      incomplete(found('MISSING', 'policies/evaluate_policy', any)),
    );
  });
  it('MISSING: an incident of a failed run', async () => {
    expect(await judge(aFailedRun({ acks: [TRACE_ACK, POLICY_ACK, FINAL_ACK] }))).toEqual(
      incomplete(found('MISSING', 'incidents/create_incident', any)),
    );
  });
  it('LATE: a note, but for finalize_run', async () => {
    expect(await judge(aRun({ acks: [{ ...TRACE_ACK, atMs: -40_000 }, POLICY_ACK, FINAL_ACK] }))).toEqual(
      complete(found('LATE', 'logs/start_trace', any, false)),
    );
  });
  it('FAILED and ROLLED_BACK: what the last acknowledgement says', async () => {
    expect(await judge(aRun({ acks: [TRACE_ACK, { ...POLICY_ACK, status: 'failed' }, FINAL_ACK] }))).toEqual(
      incomplete(found('FAILED', 'policies/evaluate_policy', 'acknowledged as failed')),
    );
    expect(
      await judge(aRun({ acks: [TRACE_ACK, POLICY_ACK, { ...POLICY_ACK, status: 'rolled_back' }, FINAL_ACK] })),
    ).toEqual(incomplete(found('ROLLED_BACK', 'policies/evaluate_policy', 'acknowledged as rolled_back')));
  });
  it('DRIFT: acknowledged, never expected: a note', async () => {
    const facts = aRun({ expectations: FOUR.filter((one) => one.domain !== 'policies') });
    expect(await judge(facts)).toEqual(
      complete(found('DRIFT', 'policies/evaluate_policy', 'acknowledged, never expected', false)),
    );
  });
});

describe('HOLLOW: evidence that is not there or says otherwise', () => {
  const hollow = (subject: string, detail: string) => incomplete(found('HOLLOW', subject, detail));
  it('no event of that number', async () => {
    const ack = { ...TRACE_ACK, evidence: { table: 'observe.events', seq: 7 } };
    expect(await judge(aRun({ acks: [ack, POLICY_ACK, FINAL_ACK] }))).toEqual(
      hollow('logs/start_trace', 'ack 1: no such event'),
    );
  });
  it('no evaluation', async () => {
    expect(await judge(aRun({ evaluation: null }))).toEqual(hollow('policies/evaluate_policy', 'ack 2: no evaluation'));
  });
  it('an evaluation with another outcome', async () => {
    expect(await judge(aRun({ evaluation: { outcome: 'denied', kind: 'run.outcome' } }))).toEqual(
      hollow('policies/evaluate_policy', 'ack 2: the evaluation says denied, the run succeeded'),
    );
  });
  it('an evaluation that names a decision about something else', async () => {
    expect(await judge(aRun({ evaluation: { outcome: 'succeeded', kind: 'model.call' } }))).toEqual(
      hollow('policies/evaluate_policy', 'ack 2: the evaluation names no decision about the outcome'),
    );
  });
  it('an incident with another outcome', async () => {
    expect(await judge(aFailedRun({ incident: { outcome: 'killed' } }))).toEqual(
      hollow('incidents/create_incident', 'ack 3: the incident says killed, the run failed'),
    );
  });
  it('no incident, which is a mismatch too', async () => {
    expect(await judge(aFailedRun({ incident: null }))).toEqual(
      incomplete(
        found('HOLLOW', 'incidents/create_incident', 'ack 3: no incident'),
        found('MISMATCH', 'outcome', 'failed, without an incident'),
      ),
    );
  });
  it('a run that is not over although finalize_run was acknowledged', async () => {
    expect(await judge(aRun({ phase: 'FINALIZING' }))).toEqual(
      hollow('orchestrator/finalize_run', 'ack 3: the run is in phase FINALIZING'),
    );
  });
  it('evidence in a table of another domain', async () => {
    const ack = { ...POLICY_ACK, evidence: { table: 'decide.runs' } };
    expect(await judge(aRun({ acks: [TRACE_ACK, ack, FINAL_ACK] }))).toEqual(
      hollow('policies/evaluate_policy', 'ack 2: the evidence is not a row of execute.evaluations'),
    );
  });
});

describe('execution', () => {
  it('MISMATCH: succeeded, with an incident', async () => {
    expect(await judge(aRun({ incident: { outcome: 'succeeded' } }))).toEqual(
      incomplete(found('MISMATCH', 'outcome', 'succeeded, with an incident')),
    );
  });
  it('MISMATCH: failed, without an incident', async () => {
    const facts = aFailedRun({ incident: null, acks: [TRACE_ACK, POLICY_ACK, FINAL_ACK] });
    expect(await judge(facts)).toEqual(
      incomplete(
        found('MISMATCH', 'outcome', 'failed, without an incident'),
        found('MISSING', 'incidents/create_incident', any),
      ),
    );
  });
  it.each([
    [aTry({ decision: null }), 'no decision allowed it'],
    [aTry({ decision: 'deny' }), 'no decision allowed it'],
    [aTry({ decision: 'other action' }), 'no decision allowed it'],
    [aTry({ warrant: null }), 'no warrant was redeemed for it'],
    [aTry({ warrant: 'issued' }), 'no warrant was redeemed for it'],
    [aTry({ warrant: 'released' }), 'no warrant was redeemed for it'],
    [aTry({ warrant: 'other nonce' }), 'no warrant was redeemed for it'],
  ])('UNWARRANTED: %j', async (one, detail) => {
    expect(await judge(aRun({ tries: [one, LAST] }))).toEqual(incomplete(found('UNWARRANTED', step, detail)));
  });
  it.each([
    [{ overMicros: 12 }, '12 micro-USD above the grant'],
    [{ overTokens: 1 }, '1 tokens above the grant'],
    [{ overMicros: 12, overTokens: 3 }, '12 micro-USD and 3 tokens above the grant'],
  ])('OVERRUN: more than the grant: %j', async (over, detail) => {
    expect(await judge(aRun({ tries: [aTry(over)] }))).toEqual(incomplete(found('OVERRUN', step, detail)));
  });
  it.each([
    [aTry({ result: 'unknown' }), 'lost'],
    [aTry({ kind: 'skill.call', access: 'read', result: 'unknown' }), 'lost'],
  ])('UNKNOWN_RESULT of a read or a model call: a note: %j', async (one, detail) => {
    expect(await judge(aRun({ tries: [one, LAST] }))).toEqual(complete(found('UNKNOWN_RESULT', step, detail, false)));
  });
  it('UNKNOWN_RESULT: an attempt without a result, which is no settlement either', async () => {
    expect(await judge(aRun({ tries: [aTry({ result: null }), LAST] }))).toEqual(
      incomplete(
        found('MISMATCH', step, 'forfeited without a result'),
        found('UNKNOWN_RESULT', step, 'no result', false),
      ),
    );
  });
  it('UNKNOWN_RESULT of a write that a later attempt made good: a note', async () => {
    const write = aTry({ kind: 'skill.call', access: 'write', result: 'unknown' });
    expect(
      await judge(aRun({ tries: [write, aTry({ kind: 'skill.call', access: 'write', attempt: 2 }), LAST] })),
    ).toEqual(complete(found('UNKNOWN_RESULT', step, 'lost, made good by a later attempt', false)));
  });
  it.each([
    ['a write', [aTry({ kind: 'skill.call', access: 'write', result: 'unknown' })]],
    ['nobody knows what', [aTry({ kind: 'skill.call', result: 'unknown' })]],
    [
      'a write with a later attempt that failed',
      [
        aTry({ kind: 'skill.call', access: 'write', result: 'unknown' }),
        aTry({ kind: 'skill.call', access: 'write', attempt: 2, result: 'failed' }),
      ],
    ],
    [
      'a write with another step that succeeded',
      [aTry({ kind: 'skill.call', access: 'write', result: 'unknown' }), aTry({ step: 2 })],
    ],
  ])('UNKNOWN_RESULT of %s: blocking', async (_name, tries) => {
    expect(await judge(aRun({ tries: [...tries, LAST] }))).toEqual(incomplete(found('UNKNOWN_RESULT', step, 'lost')));
  });
  it('FORGED_APPROVAL: a check of the audit failed', async () => {
    expect(await judge(aRun({ forged: ['u-1'] }))).toEqual(incomplete(found('FORGED_APPROVAL', 'u-1', 'forged')));
  });
  it('REFUSED_HISTORY: another execution claimed to be the run: a note', async () => {
    const facts = aRun({ refused: ['other-'] });
    expect(await judge(facts)).toEqual(
      complete(found('REFUSED_HISTORY', `other-${facts.run}`, 'not_this_history', false)),
    );
  });
});

describe('TRACE_BROKEN', () => {
  const acks = [POLICY_ACK, FINAL_ACK];
  const expectations = FOUR.filter((one) => one.domain !== 'logs');
  const head = { length: 2, hash: 'last', closed: true } as const;
  it.each([
    ['no head', { head: null, seqs: [] }],
    ['the head says 2 events, there are 1', { head, seqs: [1] }],
    ['the head says 2 events, there are 3', { head, seqs: [1, 2, 3] }],
    ['the numbers are not contiguous', { head, seqs: [1, 3] }],
    ['the numbers are not contiguous', { head, seqs: [2, 3] }],
    ['the head is not the hash of the last event', { head: { ...head, hash: 'wrong' as const }, seqs: [1, 2] }],
    [
      'the head is not the hash of the last event',
      { head: { length: 0, hash: 'wrong' as const, closed: true }, seqs: [] },
    ],
    ['not closed', { head: { ...head, closed: false }, seqs: [1, 2] }],
  ])('%s', async (detail, trace) => {
    expect(await judge(aRun({ acks, expectations, trace, story: [] }))).toEqual(
      incomplete(found('TRACE_BROKEN', 'trace', detail)),
    );
  });
  it('an event that a sample found changed', async () => {
    expect(await judge(aRun({ brokenSeqs: [2] }))).toEqual(
      incomplete(found('TRACE_BROKEN', 'event 2', 'does not follow')),
    );
  });
  it('a row that a sample found changed', async () => {
    expect(await judge(aRun({ altered: true }))).toEqual(incomplete(found('ALTERED', 'hold 1', 'it is not there')));
  });
  it('the head of a run that is not final need not be closed', async () => {
    const open = aFailedRun({
      finalizeDueMs: -1_000,
      phase: 'EXECUTING',
      outcome: null,
      acks: [TRACE_ACK],
      evaluation: null,
      incident: null,
      trace: { head: { ...head, closed: false }, seqs: [1, 2] },
    });
    expect((await judge(open))?.findings.map((one) => one.code)).toEqual(['MISSING', 'MISSING']);
  });
});
