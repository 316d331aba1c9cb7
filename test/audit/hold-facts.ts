/** Holds, the acts that answered them and who asked for a run, as plain data; put into the database as plant.ts does the rest. */
import type { Sql } from '../../src/domain/sql.js';
import { aTry, type EventFact, type RunFacts, type TryFact } from './facts.js';

/** Persons have numbers, and REQUESTER asked for the run; `person` of a check is whom the audit made out. */
export type CheckFact = { readonly ok: boolean; readonly person: number | null } | null;
export type ActFact = {
  readonly verb: 'approve' | 'reject' | 'resume' | 'raise_budget';
  readonly person: number;
  readonly roles: readonly string[];
  readonly signed: boolean;
  readonly sameAction: boolean;
  /** Of a resume: what it says of the call that was held. */
  readonly was: 'done' | 'not_done' | null;
  readonly atMs: number;
  readonly check: CheckFact;
};
type Terms = { readonly authority: string; readonly quorum: number };
/** The n-th of a run held attempt 1 of step 20 + n. */
export type HoldFact = Terms & {
  readonly resolution: 'approved' | 'rejected' | 'resumed' | 'raised' | 'timed_out' | 'ended' | null;
  readonly untilMs: number;
  /** As the decision asked that paused; null where there is none. */
  readonly asked: Terms | null;
  readonly acts: readonly ActFact[];
  /** Whether attempt 1 was a write that nobody heard of; only where no decision held it. */
  readonly lost: boolean;
  /** How attempt 2 ended, where there was one, and whether it used the approval. */
  readonly after: 'succeeded' | 'failed' | null;
  readonly used: boolean;
  /** Whether an attempt 3 succeeded under the same approval. */
  readonly again: boolean;
  readonly usedElsewhere: boolean;
};
/** Of a run whose start was allowed: the act that asked for it, if there is one. */
export type StartFact = {
  readonly act: null | {
    readonly name: string;
    readonly person: number;
    readonly signed: boolean;
    readonly check: CheckFact;
  };
};

export const REQUESTER = 1;
export const HELD = { openedMs: -9_000, resolvedMs: -5_000 } as const;
export const stepOf = (at: number): number => 21 + at;

export const anAct = (over: Partial<ActFact> = {}): ActFact => ({
  verb: 'approve',
  person: 2,
  roles: ['approver:finance'],
  signed: true,
  sameAction: true,
  was: null,
  atMs: -7_000,
  check: null,
  ...over,
});
/** Approved by one of finance, and used once. */
export function aHold(over: Partial<HoldFact> = {}): HoldFact {
  const terms = { authority: 'finance', quorum: 1, ...over };
  return {
    resolution: 'approved',
    untilMs: -1_000,
    asked: { authority: terms.authority, quorum: terms.quorum },
    acts: [anAct()],
    lost: false,
    after: 'succeeded',
    used: true,
    again: false,
    usedElsewhere: false,
    ...terms,
  };
}

const ACTION = 'a'.repeat(64);
/** Why it was held, as how it ended has it: only an unknown result is resumed, and only a budget raised. */
export const reasonOf = ({ resolution }: Pick<HoldFact, 'resolution'>): string =>
  resolution === 'resumed' ? 'UNKNOWN_RESULT' : resolution === 'raised' ? 'BUDGET' : 'APPROVAL_REQUIRED';
export const actionOf = ({ resolution }: Pick<HoldFact, 'resolution'>): string | null =>
  resolution === 'resumed' ? null : ACTION;

/** What was tried after the holds of a run. */
export const triesAfter = (holds: readonly HoldFact[]): readonly TryFact[] =>
  holds.flatMap(({ after, again, lost, asked }, at) => {
    const one = { step: stepOf(at), kind: 'skill.call', access: 'write' } as const;
    return [
      ...(lost && asked === null ? [aTry({ ...one, attempt: 1, result: 'unknown' })] : []),
      ...(after === null ? [] : [aTry({ ...one, attempt: 2, result: after })]),
      ...(again ? [aTry({ ...one, attempt: 3 })] : []),
    ];
  });

const bodyOf = (hold: HoldFact, at: number): string =>
  JSON.stringify({
    action: actionOf(hold) ?? '',
    attempt: 1,
    authority: hold.authority,
    reason: reasonOf(hold),
    step: stepOf(at),
    until: 'then',
  });
export const storyOfHolds = ({ holds, start }: Pick<RunFacts, 'holds' | 'start'>): readonly EventFact[] => [
  ...(start === null ? [] : [{ id: 'run.authorized', kind: 'run.authorized', body: '{}' }]),
  ...holds.flatMap((hold, at) => [
    ...(hold.asked === null ? [] : [{ id: `${stepOf(at)}.1.decided`, kind: 'step.decided', body: '{}' }]),
    { id: `hold.${at + 1}.opened`, kind: 'hold.opened', body: bodyOf(hold, at) },
    ...(hold.resolution === null
      ? []
      : [{ id: `hold.${at + 1}.resolved`, kind: 'hold.resolved', body: `{"resolution":"${hold.resolution}"}` }]),
  ]),
];

const uuidOfPerson = (person: number | null): string | null =>
  person === null ? null : `00000000-0000-0000-0000-${String(person).padStart(12, '0')}`;
const AT = (column: string): string =>
  `(current_setting('rok.base')::timestamptz + ${column} * interval '1 millisecond')`;

/** With triggers off, as all that is planted. */
export async function plantHolds(sql: Sql, all: readonly RunFacts[]): Promise<void> {
  const rows = (insert: string, list: readonly object[]) => sql.query(insert, [JSON.stringify(list)]);
  const held = all.flatMap((facts) =>
    facts.holds.map((one, at) => ({
      ...{ ...one, run: facts.run, hold: at + 1, step: stepOf(at) },
      ...{ reason: reasonOf(one), action: actionOf(one) },
    })),
  );
  await rows(
    `INSERT INTO decide.holds (run_id, hold, step, attempt, action_digest, reason, authority, quorum, opened_by, opened_at, until,
       on_timeout, resolved_at, resolution)
     SELECT run, hold, step, 1, action, reason, authority, quorum, 'policy', ${AT(String(HELD.openedMs))},
       ${AT('"untilMs"')}, 'terminate', CASE WHEN resolution IS NOT NULL THEN ${AT(String(HELD.resolvedMs))} END, resolution
     FROM jsonb_to_recordset($1)
       AS x (run uuid, hold integer, step integer, action text, reason text, authority text, quorum integer, "untilMs" float8,
         resolution text)`,
    held,
  );
  const decisions = [
    ...held.flatMap(({ run, step, asked, reason }) =>
      asked === null ? [] : [{ run, step, kind: 'skill.call', effect: 'pause', hold: { reason, ...asked } }],
    ),
    ...all.flatMap(({ run, start }) =>
      start === null ? [] : [{ run, step: 0, kind: 'run.start', effect: 'allow', hold: null }],
    ),
  ];
  await rows(
    `INSERT INTO decide.decisions (run_id, step, attempt, kind, target, effect, action_digest, request_digest,
       arguments_digest, context_digest, not_after, snapshot_digest, policy_set_digest, price_table_digest, body)
     SELECT run, step, 1, kind, 'a/target', effect, '${ACTION}', '${ACTION}', '', '',
       CASE effect WHEN 'allow' THEN clock_timestamp() END, '', '', '', jsonb_build_object('hold', hold)
     FROM jsonb_to_recordset($1) AS x (run uuid, step integer, kind text, effect text, hold jsonb)`,
    decisions,
  );
  const acts = [
    ...held.flatMap(({ run, hold, acts: given }) =>
      given.map((one, at) => ({ ...one, run, hold, id: `hold-${hold}-${at}`, name: `local:p${one.person}` })),
    ),
    ...all.flatMap(({ run, start }) =>
      start === null || start.act === null
        ? []
        : [
            {
              ...start.act,
              run,
              hold: null,
              id: 'start',
              verb: 'start',
              roles: [],
              sameAction: true,
              was: null,
              atMs: -60_000,
            },
          ],
    ),
  ];
  const said = acts.map((one) => ({ ...one, person: uuidOfPerson(one.person), roles: one.roles }));
  await rows(
    `INSERT INTO decide.acts (run_id, update_id, verb, actor, person, roles, issuer, assertion, hold, action_digest, allowed, at, was)
     SELECT run, id, verb, name, person, ARRAY(SELECT jsonb_array_elements_text(roles)), 'local',
       CASE WHEN signed THEN 'signed' END, hold, CASE WHEN "sameAction" THEN '${ACTION}' ELSE '${'b'.repeat(64)}' END, true, ${AT('"atMs"')}, CASE verb WHEN 'resume' THEN was END
     FROM jsonb_to_recordset($1) AS x (run uuid, id text, verb text, was text, name text, person uuid, roles jsonb, signed boolean, hold integer,
       "sameAction" boolean, "atMs" float8)`,
    said,
  );
  await rows(
    `INSERT INTO audit.approval_checks (run_id, update_id, ok, person, detail)
     SELECT run, id, ok, person, CASE WHEN ok THEN 'verified' ELSE 'forged' END
     FROM jsonb_to_recordset($1) AS x (run uuid, id text, ok boolean, person uuid)`,
    acts.flatMap(({ run, id, check }) =>
      check === null ? [] : [{ run, id, ok: check.ok, person: uuidOfPerson(check.person) }],
    ),
  );
  await rows(
    `INSERT INTO decide.approval_uses (run_id, hold, step, attempt)
     SELECT run, hold, step, attempt FROM jsonb_to_recordset($1) AS x (run uuid, hold integer, step integer, attempt integer)`,
    held.flatMap(({ run, hold, step, used, again, usedElsewhere }) => [
      ...(used ? [{ run, hold, step, attempt: 2 }] : []),
      ...(again ? [{ run, hold, step, attempt: 3 }] : []),
      ...(usedElsewhere ? [{ run, hold, step: 1, attempt: 1 }] : []),
    ]),
  );
}
