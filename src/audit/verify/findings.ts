/**
 * Finds in the records of a bundle what the judge finds in the rows of a run: the verdict must name each such finding.
 * Part of verify.ts; pure. Version 2 only, and only for runs that have ended. It is silent about what a bundle does not
 * hold, such as reservations and the audit's own checks.
 */
import { recordKey, type Bundle } from '../evidence/evidence.js';
import type { Records } from '../evidence/records.js';
import type { Facts, Receipt } from '../receipts/receipt.js';
import { namesOf } from '../evidence/trace-chain.js';
import { approvalFindings } from './approvals.js';
import { isFinal } from './records.js';
import type { Broken } from './signature.js';
import { storyFindings, type Derived, type ToldEvent } from './story.js';

export function untoldFinding({ trace }: Bundle, records: Records, receipt: Receipt): Broken | null {
  const { facts, contract, verdict } = receipt;
  if (facts === null || contract === null) return null;
  // What came after is not stated.
  const stated = trace
    .slice(0, Number(facts.traceLength))
    .map(({ bytes }): ToldEvent => ({ ...namesOf(bytes), bytes }));
  const refused = stated.filter(({ kind }) => kind === 'call.refused').length;
  if (refused !== facts.refusedCalls)
    return { what: 'refused calls', detail: `the receipt states ${facts.refusedCalls ?? 0}, there are ${refused}` };
  if (!isFinal(receipt)) return null;
  const told = new Set(verdict.findings.map(({ code, subject }): Derived => `${code} ${subject}`));
  const [untold] = [
    ...answerFindings(records, facts),
    ...storyFindings(stated, records, facts),
    ...approvalFindings(records, contract.profile),
  ]
    .filter((one) => !told.has(one))
    .sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
  return untold === undefined
    ? null
    : { what: `finding ${untold}`, detail: 'the records come to it, and the verdict does not name it' };
}

/** The answer of a run of an agent is what its model said last; an own workflow may have none, but no other. */
function answerFindings({ runs: [run], decisions, results }: Records, { outcome }: Facts): readonly Derived[] {
  if (run === undefined) return [];
  const { kind, answer } = run;
  const succeeded = results.filter(({ status }) => status === 'succeeded');
  const models = new Set(decisions.filter((one) => one.kind === 'model.call').map(recordKey));
  const fits =
    kind === 'governedRun' && outcome === 'succeeded'
      ? answer !== null && answer === succeeded.filter((one) => models.has(recordKey(one))).at(-1)?.contentDigest
      : answer === null || succeeded.some(({ contentDigest }) => contentDigest === answer);
  return fits ? [] : ['MISMATCH answer'];
}
