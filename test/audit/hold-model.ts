/** Who may answer for what, once more and naively; never shared with src. And holds, acts and starts as they may come. */
import fc from 'fast-check';
import type { RunFacts, TryFact } from './facts.js';
import { anAct, HELD, REQUESTER, stepOf, type ActFact, type HoldFact, type StartFact } from './hold-facts.js';

type Find = (code: string, blocking: boolean, subject: string, detail: string) => void;

const VERBS = { approved: 'approve', rejected: 'reject', resumed: 'resume', raised: 'raise_budget' } as const;
const STRICTNESS = ['OBSERVE_ONLY', 'STANDARD', 'STRICT'];
/** What is planted of the deployment: for whoever has no profile of its own. */
export const DEPLOYMENT_PROFILE = 'STANDARD';
/** Tenants whose profile is planted; any other has none of its own. */
export const TENANT_PROFILES: Readonly<Record<string, string>> = {
  strictly: 'STRICT',
  normally: 'STANDARD',
  freely: 'OBSERVE_ONLY',
};

export function judgeHolds(facts: RunFacts, find: Find): void {
  facts.holds.forEach((hold, at) => judgeHold(facts, hold, at, find));
  judgeStart(facts, find);
  const due = TENANT_PROFILES[facts.tenant] ?? DEPLOYMENT_PROFILE;
  if (STRICTNESS.indexOf(facts.profile) < STRICTNESS.indexOf(due))
    find('MISMATCH', true, 'profile', `declared ${facts.profile}, and the tenant is stricter`);
}

function judgeHold(facts: RunFacts, hold: HoldFact, at: number, find: Find): void {
  const subject = `hold ${at + 1}`;
  const { resolution, asked, quorum, authority } = hold;
  // An unknown result was held by no decision.
  if (resolution !== 'resumed' && (asked?.authority !== authority || asked.quorum !== quorum))
    find('FORGED_APPROVAL', true, subject, 'its terms are not those of its decision');
  hold.acts.forEach(({ check }, nth) => {
    if (check?.ok === false) find('FORGED_APPROVAL', true, `hold-${at + 1}-${nth}`, 'forged');
  });
  if (resolution !== null && resolution !== 'timed_out' && resolution !== 'ended') {
    const voices = voicesOf(facts, hold, VERBS[resolution]);
    const needed = resolution === 'approved' ? quorum : 1;
    if (voices < needed) find('FORGED_APPROVAL', true, subject, `${resolution} by ${voices} of ${needed}`);
  }
  judgeUses(facts, hold, at, find);
}

/** What the first who looked said of an attempt that nobody heard of; null where nobody did, or it was forged. */
export function answerTo({ holds }: RunFacts, { step, attempt }: TryFact): string | null {
  const hold = holds.find((one, at) => stepOf(at) === step && attempt === 1 && one.resolution === 'resumed');
  const said = (hold?.acts ?? [])
    .filter(
      ({ verb, was, check, atMs }) =>
        verb === 'resume' && was !== null && check?.ok !== false && atMs >= HELD.openedMs && atMs <= HELD.resolvedMs,
    )
    .sort((one, other) => one.atMs - other.atMs);
  return said[0]?.was ?? null;
}

function voicesOf({ profile, start }: RunFacts, hold: HoldFact, verb: ActFact['verb']): number {
  const requesterSeen = start?.act?.check?.person ?? null;
  const heard = hold.acts.filter((act) => {
    const inTime = act.atMs >= HELD.openedMs && act.atMs <= HELD.resolvedMs && act.atMs < hold.untilMs;
    const own = act.person === REQUESTER || (requesterSeen !== null && act.check?.person === requesterSeen);
    const may =
      act.roles.includes('admin') ||
      verb === 'resume' ||
      (verb === 'raise_budget'
        ? act.roles.includes('approver:finance')
        : act.roles.includes(`approver:${hold.authority}`) ||
          (hold.authority === 'operator' && act.roles.includes('operator')));
    return (
      act.verb === verb &&
      inTime &&
      may &&
      (verb === 'resume' || !own) &&
      (verb === 'resume' || verb === 'raise_budget' || act.sameAction) &&
      (profile !== 'STRICT' || act.signed) &&
      act.check?.ok !== false
    );
  });
  const persons = new Set(heard.map((act) => act.person));
  const seen = new Set(heard.map((act) => act.check?.person ?? act.person));
  return Math.min(persons.size, seen.size);
}

function judgeUses({ tries }: RunFacts, hold: HoldFact, at: number, find: Find): void {
  const step = stepOf(at);
  const uses = [
    ...(hold.used ? [{ step, attempt: 2 }] : []),
    ...(hold.again ? [{ step, attempt: 3 }] : []),
    ...(hold.usedElsewhere ? [{ step: 1, attempt: 1 }] : []),
  ];
  const attempts = tries.filter((one) => one.attempted);
  const tryOf = (use: { readonly step: number; readonly attempt: number }) =>
    attempts.find((one) => one.step === use.step && one.attempt === use.attempt);
  for (const one of attempts.filter((other) => other.step === step && other.attempt > 1))
    if (hold.resolution === 'approved' && !uses.some((use) => use.step === step && use.attempt === one.attempt))
      find('UNWARRANTED', true, `step ${step} attempt ${one.attempt}`, `it did not use the approval of hold ${at + 1}`);
  for (const use of uses)
    if (use.step !== step || hold.resolution !== 'approved' || tryOf(use) === undefined)
      find(
        'UNWARRANTED',
        true,
        `step ${use.step} attempt ${use.attempt}`,
        `the approval of hold ${at + 1} was not given for it`,
      );
  const served = uses.filter((use) => tryOf(use)?.result === 'succeeded').length;
  if (served > 1) find('UNWARRANTED', true, `hold ${at + 1}`, `its approval let ${served} attempts succeed`);
}

function judgeStart({ profile, start }: RunFacts, find: Find): void {
  if (start === null) return;
  const { act } = start;
  if (act?.check?.ok === false) find('FORGED_APPROVAL', true, 'start', 'forged');
  if (act === null) find('FORGED_APPROVAL', true, 'start', 'nobody asked for it');
  else if (profile === 'STRICT' && !act.signed)
    find('FORGED_APPROVAL', true, 'start', 'no assertion of who asked for it');
  else if (act.name !== 'local:ann' || act.person !== REQUESTER)
    find('FORGED_APPROVAL', true, 'start', 'the run names another who asked for it');
}

const check = (person: number): fc.Arbitrary<ActFact['check']> =>
  fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(null, { ok: true, person }) },
    { weight: 1, arbitrary: fc.constantFrom({ ok: true, person: 2 }, { ok: true, person: REQUESTER }) },
    { weight: 1, arbitrary: fc.constantFrom({ ok: false, person: null }, { ok: true, person: null }) },
  );
const usually = <T>(usual: T, ...others: readonly T[]): fc.Arbitrary<T> =>
  fc.oneof({ weight: 6, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(usual, ...others) });

const act = (verb: ActFact['verb']): fc.Arbitrary<ActFact> =>
  usually(2, REQUESTER, 3, 4).chain((person) =>
    fc.record({
      verb: usually(verb, 'approve', 'reject', 'resume', 'raise_budget'),
      person: fc.constant(person),
      roles: usually(anAct().roles, [], ['admin'], ['operator'], ['approver:legal']),
      signed: usually(true, false),
      sameAction: usually(true, false),
      was: usually<ActFact['was']>('done', 'not_done', null),
      atMs: usually(-7_000, -9_000, -9_001, -6_500, -6_501, -5_000, -4_999),
      check: check(person),
    }),
  );

const hold: fc.Arbitrary<HoldFact> = usually<HoldFact['resolution']>(
  'approved',
  'rejected',
  ...(['resumed', 'resumed', 'resumed'] as const),
  'raised',
  'timed_out',
  'ended',
  null,
).chain((resolution) => {
  const verb =
    resolution === 'rejected' || resolution === 'resumed' || resolution === 'raised' ? resolution : 'approved';
  return fc.record({ authority: usually('finance', 'operator', 'legal'), quorum: usually(1, 2) }).chain((terms) =>
    fc.record({
      ...{ authority: fc.constant(terms.authority), quorum: fc.constant(terms.quorum) },
      resolution: fc.constant(resolution),
      untilMs: usually(-1_000, -6_500),
      asked: usually<HoldFact['asked']>(resolution === 'resumed' ? null : terms, null, {
        authority: 'finance',
        quorum: 1,
      }),
      // A person has one voice, which an index says too.
      acts: fc.uniqueArray(act(VERBS[verb]), { minLength: 0, maxLength: 3, selector: (one) => one.person }),
      lost: usually(resolution === 'resumed', false),
      after: usually<HoldFact['after']>('succeeded', 'failed', null),
      used: usually(true, false),
      again: usually(false, true),
      usedElsewhere: usually(false, true),
    }),
  );
});
/** Mostly none, so that other findings come up alone too. */
export const randomHolds: fc.Arbitrary<readonly HoldFact[]> = fc.oneof(
  { weight: 3, arbitrary: fc.constant([]) },
  { weight: 1, arbitrary: fc.array(hold, { minLength: 1, maxLength: 2 }) },
);
export const randomStart: fc.Arbitrary<StartFact | null> = fc.oneof(
  { weight: 2, arbitrary: fc.constant(null) },
  {
    weight: 1,
    arbitrary: fc.record({
      act: fc.option(
        fc.record({
          name: usually('local:ann', 'local:eve'),
          person: usually(REQUESTER, 3),
          signed: usually(true, false),
          check: check(REQUESTER),
        }),
        { freq: 8 },
      ),
    }),
  },
);
