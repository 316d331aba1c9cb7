/**
 * How an actor relates to earlier participants of a run: who requested it, who has answered the hold, and whether any
 * of that was signed. Compares persons, never names. States facts only: access.ts and act.ts draw the consequences.
 */
import { uuidOf, type RunId } from '../../domain/ids.js';
import { isSamePerson, mayBeSamePerson, type PersonKey } from '../../domain/person.js';
import type { Sql } from '../../domain/sql.js';
import type { RequesterStanding } from './grants.js';

export type Standing = {
  readonly requester: RequesterStanding;
  readonly answeredBefore: boolean;
  /** Something that was allowed in this run, its start included, carried an assertion. */
  readonly signedBefore: boolean;
};

type TakenPart = PersonKey & { readonly part: 'requester' | 'voice' };

/** The run's row is locked by now. */
export async function standingOf(sql: Sql, run: RunId, hold: number | null, actor: PersonKey): Promise<Standing> {
  const [row] = await sql.query<{ persons: readonly TakenPart[]; signed: boolean }>(
    `SELECT EXISTS (SELECT FROM decide.acts a WHERE a.run_id = $1 AND a.allowed AND a.issuer <> 'local') AS signed,
      (SELECT coalesce(jsonb_agg(jsonb_build_object('part', x.part, 'issuer', p.issuer, 'subject', p.subject, 'folded', p.folded)), '[]')
        FROM (SELECT r.requester AS person, 'requester' AS part FROM decide.runs r WHERE r.run_id = $1
          UNION ALL SELECT a.person, 'voice' FROM decide.acts a
            WHERE a.run_id = $1 AND a.hold = $2 AND a.allowed AND a.verb IN ('approve', 'reject')) x
        JOIN decide.persons p USING (person)) AS persons`,
    [uuidOf(run), hold],
  );
  const persons = row?.persons ?? [];
  const requester = persons.find(({ part }) => part === 'requester');
  return {
    requester: requesterStanding(actor, requester),
    answeredBefore: persons.some((one) => one.part === 'voice' && mayBeSamePerson(one, actor)),
    signedBefore: row?.signed ?? true,
  };
}

function requesterStanding(actor: PersonKey, requester: PersonKey | undefined): RequesterStanding {
  if (requester === undefined) return 'perhaps';
  if (isSamePerson(actor, requester)) return 'requester';
  return mayBeSamePerson(actor, requester) ? 'perhaps' : 'another';
}

/** What decide.person_of takes: the key, and the name as it was given. */
export const personText = (person: PersonKey | null, name: string): string | null =>
  person === null ? null : JSON.stringify({ ...person, name: name.slice(0, 512) });
