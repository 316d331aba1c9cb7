/**
 * Checks by the records who allowed what: holds against acts and decisions, a start against its requester, attempts
 * against the approvals that they used. Part of verify.ts; pure. Does for a bundle what
 * sql/repeatable/audit/0620_approval_findings.sql does for the rows, as far as a bundle has them: it lacks the audit's own checks
 * of assertions and the tenant's profile.
 */
import { recordKey, type ActRecord, type HoldRecord } from '../evidence/evidence.js';
import type { Records } from '../evidence/records.js';
import { microsOf } from '../evidence/trace-chain.js';
import type { Derived } from './story.js';

export function approvalFindings(records: Records, profile: string): readonly Derived[] {
  const { holds } = records;
  const forged = holds.filter((hold) => !hasVoices(hold, records, profile) || !hasItsTerms(hold, records));
  return [
    ...forged.map((hold): Derived => `FORGED_APPROVAL hold ${hold.n}`),
    ...(isStartAsked(records, profile) ? [] : ['FORGED_APPROVAL start']),
    ...raiseFindings(records, profile),
    ...useFindings(records),
  ];
}

/** Of an act that was allowed: a local actor's has no such id. */
const isSigned = ({ tokenId }: ActRecord): boolean => tokenId !== null;

const VERBS: Readonly<Record<string, string>> = {
  approved: 'approve',
  rejected: 'reject',
  resumed: 'resume',
  raised: 'raise_budget',
};

/** As many persons as were asked for, each of whom may, and gave this answer while the hold was open. */
function hasVoices(hold: HoldRecord, { acts, raises, runs }: Records, profile: string): boolean {
  const verb = VERBS[hold.resolution ?? ''];
  if (verb === undefined) return true;
  const requester = runs[0]?.requester ?? null;
  const answers = (act: ActRecord): boolean =>
    act.hold === hold.n ||
    (verb === 'raise_budget' && raises.some((one) => one.update === act.update && one.holds.includes(hold.n)));
  const voices = acts.filter(
    (act) =>
      act.verb === verb &&
      act.allowed &&
      act.person !== null &&
      answers(act) &&
      isWhileOpen(act.at, hold) &&
      (verb === 'resume' || verb === 'raise_budget' || act.actionDigest === hold.actionDigest) &&
      (verb === 'resume' || act.person !== requester) &&
      mayAnswer(verb, act.roles, hold.authority) &&
      (profile !== 'STRICT' || isSigned(act)),
  );
  return new Set(voices.map(({ person }) => person)).size >= (verb === 'approve' ? hold.quorum : 1);
}

const timeOf = (at: string | null): number => microsOf(at ?? '') ?? NaN;

/** By the clock that stamped both; what is no time is never in time. */
function isWhileOpen(at: string, { openedAt, resolvedAt, until }: HoldRecord): boolean {
  const given = timeOf(at);
  return given >= timeOf(openedAt) && given <= timeOf(resolvedAt) && given < timeOf(until);
}

/** The same as the grants that ship with the deciders. */
function mayAnswer(verb: string, roles: readonly string[], authority: string): boolean {
  if (roles.includes('admin') || verb === 'resume') return true;
  if (verb === 'raise_budget') return roles.includes('approver:finance');
  return roles.includes(`approver:${authority}`) || (authority === 'operator' && roles.includes('operator'));
}

/** What was asked of whom, the decision says that paused; an actor's pause and an unknown result were asked for by none. */
function hasItsTerms(hold: HoldRecord, { decisions }: Records): boolean {
  if (hold.reason === 'MANUAL' || hold.reason === 'UNKNOWN_RESULT') return true;
  const paused = decisions.find(
    ({ step, attempt, effect }) => step === hold.step && attempt === hold.attempt && effect === 'pause',
  );
  return (
    paused !== undefined &&
    paused.actionDigest === hold.actionDigest &&
    paused.holdReason === hold.reason &&
    paused.holdAuthority === hold.authority &&
    paused.holdQuorum === String(hold.quorum)
  );
}

function isStartAsked({ decisions, acts, runs }: Records, profile: string): boolean {
  const started = decisions.some(({ step, kind, effect }) => step === 0 && kind === 'run.start' && effect === 'allow');
  if (!started) return true;
  const asked = acts.find(({ update, verb, allowed }) => update === 'start' && verb === 'start' && allowed);
  return (
    asked !== undefined && (profile !== 'STRICT' || isSigned(asked)) && asked.person === (runs[0]?.requester ?? null)
  );
}

/** A cap that was raised, whether or not a hold waited for it: by whom it was for, and not by who asked for the run. */
const raiseFindings = ({ raises, acts, runs }: Records, profile: string): readonly Derived[] =>
  raises
    .filter((raise) => {
      const act = acts.find(
        ({ update, verb, allowed, actionDigest }) =>
          update === raise.update && verb === 'raise_budget' && allowed && actionDigest === raise.actionDigest,
      );
      return (
        act === undefined ||
        act.person === (runs[0]?.requester ?? null) ||
        !mayAnswer('raise_budget', act.roles, 'finance') ||
        (profile === 'STRICT' && !isSigned(act))
      );
    })
    .map(({ update }): Derived => `FORGED_APPROVAL ${update}`);

/** An approval serves the attempts of its own step, for its own action, until one succeeded. */
function useFindings({ holds, uses, attempts, results }: Records): readonly Derived[] {
  const approved = holds.filter(({ resolution }) => resolution === 'approved');
  const used = new Set(uses.map(({ hold, step, attempt }) => `${hold} ${step}.${attempt}`));
  const unused = approved.flatMap((hold) =>
    attempts.filter(
      (one) =>
        one.step === hold.step &&
        one.attempt > hold.attempt &&
        one.actionDigest === hold.actionDigest &&
        !used.has(`${hold.n} ${recordKey(one)}`),
    ),
  );
  const actions = new Map(attempts.map((one) => [recordKey(one), one.actionDigest]));
  const misused = uses.filter((use) => {
    const hold = approved.find(({ n }) => n === use.hold);
    // Both may be without an action; then they are of one.
    const action = actions.get(`${use.step}.${use.attempt}`) ?? null;
    return hold?.step !== use.step || hold.actionDigest !== action;
  });
  const succeeded = new Set(results.filter(({ status }) => status === 'succeeded').map(recordKey));
  const served = uses.filter(({ step, attempt }) => succeeded.has(`${step}.${attempt}`)).map(({ hold }) => hold);
  const again = served.filter((hold, at) => served.indexOf(hold) !== at);
  return [
    ...[...unused, ...misused].map(({ step, attempt }): Derived => `UNWARRANTED step ${step} attempt ${attempt}`),
    ...again.map((hold): Derived => `UNWARRANTED hold ${hold}`),
  ];
}
