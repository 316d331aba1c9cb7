/**
 * Verifies again the assertions that actors signed, with the audit's own copy of the key set and as of the database
 * time at which each was stored. This is the only place that finds a forged approval which the deciding power accepted,
 * so it deliberately shares no code with the verification that it checks.
 */
import { errors as joseErrors, jwtVerify, type JWTVerifyGetKey } from 'jose';
import { uuidOf, type RunId } from '../../domain/ids.js';
import { LOCAL, localPerson, signedPerson, type IssuerGroups, type PersonKey } from '../../domain/person.js';
import type { Fate } from '../../domain/protocol/decide.js';
import { fateDigest } from '../../domain/protocol/message.js';
import type { Sql } from '../../domain/sql.js';
import { storable } from '../../domain/text.js';
import { beat } from '../reconcile/beats.js';
import { isOfRows } from '../judge/row-error.js';

/** The audit's own: whose keys, and which issuers are one. */
export type AssertionKeys = { readonly keys: JWTVerifyGetKey; readonly issuers: IssuerGroups | null };

/** An act that was allowed, as the deciders recorded it. */
export type RecordedAct = {
  readonly runUuid: string;
  readonly tenant: string;
  readonly updateId: string;
  readonly verb: string;
  readonly actor: string;
  readonly roles: readonly string[];
  readonly issuer: string;
  readonly tokenId: string | null;
  readonly assertion: string | null;
  readonly actionDigest: string | null;
  /** Of a resume: what who looked said of the call. */
  readonly was: Fate | null;
  readonly at: string;
  readonly workflowId: string;
  readonly profile: string;
  /** Stamped more than a day ago. */
  readonly overdue: boolean;
};
/** Nothing can be said yet; a rotation may be under way. */
export type Later = { readonly later: string };
export type ApprovalCheck = {
  readonly ok: boolean;
  readonly detail: string;
  /** Derived here, not read from the act's row; null where it cannot be said. */
  readonly person: PersonKey | null;
};

/** Under which audit.beats keeps the time up to which all acts are checked. */
const CURSOR = 'approvals.cursor';
const PAGE = 200;
/** What one look has of all runs; the next goes on. An end's own look has no more acts than its run. */
const PAGES = 10;
const LEEWAY_S = 30;
const LIFETIME_S = 300;

export type ApprovalsChecked = {
  readonly checked: number;
  /** Allowed acts with an assertion that nothing can be said about yet: the audit has no key set, or not this key. */
  readonly uncheckable: number;
};

/**
 * Checks what is not checked yet: of one run, or of all. Without a key set what carries an assertion is left for later and
 * counted: that the audit cannot check is its own fault, and no finding about a run. What its keys do not know yet is kept
 * apart and tried again, so that it stands before nothing else; and so is what could not be checked or written down.
 */
export async function checkApprovals(sql: Sql, keys: AssertionKeys | null, run?: RunId): Promise<ApprovalsChecked> {
  let checked = 0;
  for (let page = 0; run !== undefined || page < PAGES; page += 1) {
    const acts = await (run === undefined
      ? uncheckedActs(sql, keys !== null)
      : uncheckedOfRun(sql, run, keys !== null));
    checked += await checkAll(sql, acts, keys);
    if (run === undefined && keys !== null && acts.length > 0) await beat(sql, CURSOR, acts.at(-1)?.at ?? null);
    if (acts.length < PAGE) break;
  }
  if (run !== undefined) return { checked, uncheckable: 0 };
  if (keys !== null) checked += await checkAll(sql, await turnOfLeft(sql), keys);
  return { checked, uncheckable: (keys === null ? await countUncheckable(sql) : 0) + (await countLeft(sql)) };
}

/** @returns how many there is an answer for */
async function checkAll(sql: Sql, acts: readonly RecordedAct[], keys: AssertionKeys | null): Promise<number> {
  if (acts.length === 0) return 0;
  const checks = await Promise.all(acts.map((act) => checkApproval(act, keys).catch(notChecked)));
  const rows = acts.flatMap(({ runUuid, updateId, tenant }, at) => {
    const check = checks[at] ?? null;
    return check === null ? [] : [{ run_id: runUuid, update_id: updateId, tenant, ...check }];
  });
  const answered = rows.filter((row) => !('later' in row));
  const failed = await storeApart(sql, answered);
  await leave(sql, [...rows.filter((row) => 'later' in row), ...failed]);
  return answered.length - failed.length;
}

const notChecked = (error: unknown): Later => ({
  later: storable(`it could not be checked: ${error instanceof Error ? error.message : String(error)}`, 500),
});

type Keyed = { readonly run_id: string; readonly update_id: string };

/** All at once; where that fails, each by itself. @returns those that fail alone @throws where it is not one of them that fails */
async function storeApart(sql: Sql, rows: readonly Keyed[]): Promise<readonly (Keyed & Later)[]> {
  try {
    await storeChecks(sql, rows);
    return [];
  } catch (error) {
    if (!isOfRows(error)) throw error;
  }
  const failed: (Keyed & Later)[] = [];
  for (const row of rows)
    await storeChecks(sql, [row]).catch((error: unknown) => {
      if (!isOfRows(error)) throw error;
      failed.push({ ...row, ...notChecked(error) });
    });
  return failed;
}

async function storeChecks(sql: Sql, rows: readonly object[]): Promise<void> {
  if (rows.length === 0) return;
  await sql.query(
    `WITH c AS (SELECT * FROM jsonb_to_recordset($1::jsonb)
       AS c (run_id uuid, update_id text, tenant text, ok boolean, detail text, person jsonb)),
     tried AS (DELETE FROM audit.unchecked_approvals u USING c WHERE (u.run_id, u.update_id) = (c.run_id, c.update_id))
     INSERT INTO audit.approval_checks (run_id, update_id, ok, detail, person)
     SELECT c.run_id, c.update_id, c.ok, c.detail, audit.person_of(c.tenant, c.person) FROM c
     ON CONFLICT DO NOTHING`,
    [JSON.stringify(rows)],
  );
}

async function leave(sql: Sql, rows: readonly object[]): Promise<void> {
  if (rows.length === 0) return;
  await sql.query(
    `INSERT INTO audit.unchecked_approvals AS u (run_id, update_id, why)
     SELECT c.run_id, c.update_id, c.later FROM jsonb_to_recordset($1::jsonb) AS c (run_id uuid, update_id text, later text)
     ON CONFLICT (run_id, update_id) DO UPDATE SET why = excluded.why, again_at = excluded.again_at`,
    [JSON.stringify(rows)],
  );
}

/** Whether the assertion says what the row says; null when there is no key set to ask. A local actor has none; only STRICT forbids that. */
export async function checkApproval(
  act: RecordedAct,
  keys: AssertionKeys | null,
): Promise<ApprovalCheck | Later | null> {
  if (act.assertion === null) {
    if (act.profile === 'STRICT') return forged('no assertion, though the profile is STRICT');
    if (act.issuer !== LOCAL || !act.actor.startsWith(LOCAL_PREFIX))
      return forged(`no assertion of issuer ${act.issuer}`);
    const person = localPerson(act.actor.slice(LOCAL_PREFIX.length));
    return person === null ? forged('a local actor without a name') : { ok: true, detail: 'a local actor', person };
  }
  if (keys === null) return null;
  try {
    const { payload } = await jwtVerify(act.assertion, keys.keys, {
      algorithms: ['EdDSA', 'ES256'],
      audience: act.workflowId,
      clockTolerance: LEEWAY_S,
      requiredClaims: ['sub', 'iss', 'jti', 'exp', 'iat'],
      currentDate: new Date(act.at),
    });
    if (Number(payload.exp) - Number(payload.iat) > LIFETIME_S) return forged('it lives longer than 5 minutes');
    const roles = Array.isArray(payload['roles']) ? (payload['roles'] as readonly unknown[]) : [];
    const lies = [
      payload.sub === act.actor ? null : 'actor',
      payload.iss === act.issuer ? null : 'issuer',
      payload.jti === act.tokenId ? null : 'token id',
      payload['verb'] === act.verb ? null : 'verb',
      act.verb === 'start' || payload['update'] === act.updateId ? null : 'update',
      act.actionDigest === null || payload['action'] === act.actionDigest ? null : 'action',
      act.verb !== 'resume' || payload['action'] === (act.was === null ? undefined : fateDigest(act.was))
        ? null
        : 'was',
      act.roles.every((role) => roles.includes(role)) ? null : 'roles',
    ].filter((lie) => lie !== null);
    if (lies.length > 0) return forged(`it says otherwise about: ${lies.join(', ')}`);
    const person = signedPerson(payload.iss ?? '', payload.sub ?? '', keys.issuers);
    return person === null
      ? notYet(act, 'its issuer is none whose assertions count')
      : { ok: true, detail: 'verified', person };
  } catch (error) {
    // A key set that cannot be fetched is no verdict about the assertion.
    if (!(error instanceof joseErrors.JOSEError) || error instanceof joseErrors.JWKSTimeout) throw error;
    if (error instanceof joseErrors.JWKSNoMatchingKey) return notYet(act, 'the audit does not have its key');
    return forged(`it does not verify: ${error.code}`);
  }
}

const forged = (detail: string): ApprovalCheck => ({ ok: false, detail: storable(detail, 500), person: null });
const notYet = ({ overdue }: RecordedAct, why: string): ApprovalCheck | Later =>
  overdue ? forged(`${why}, for more than a day`) : { later: why };
/** How the deciders label who had no assertion. */
const LOCAL_PREFIX = 'local:';

const ACT = `a.run_id AS "runUuid", c.tenant, a.update_id AS "updateId", a.verb, a.actor, a.roles, a.issuer, a.token_id AS "tokenId",
       a.assertion, a.action_digest AS "actionDigest", a.was, a.at, r.workflow_id AS "workflowId", c.profile,
       a.at < clock_timestamp() - interval '1 day' AS overdue
     FROM decide.v_acts a
     JOIN audit.contracts c ON c.run_id = a.run_id
     JOIN decide.v_runs r ON r.run_id = a.run_id`;
const UNCHECKED = `NOT EXISTS (SELECT FROM audit.approval_checks k WHERE (k.run_id, k.update_id) = (a.run_id, a.update_id))
     AND NOT EXISTS (SELECT FROM audit.unchecked_approvals u WHERE (u.run_id, u.update_id) = (a.run_id, a.update_id))`;

/** From where the last look ended, less what a transaction may take between stamping an act and committing it. */
const SINCE = `coalesce((SELECT b.at FROM audit.beats b WHERE b.name = '${CURSOR}'), '-infinity') - interval '10 minutes'`;

const uncheckedActs = (sql: Sql, all: boolean): Promise<readonly RecordedAct[]> =>
  sql.query<RecordedAct>(
    `SELECT ${ACT} WHERE a.allowed AND a.at >= ${SINCE} AND ($2 OR a.assertion IS NULL) AND ${UNCHECKED}
     ORDER BY a.at LIMIT $1`,
    [PAGE, all],
  );

const uncheckedOfRun = (sql: Sql, run: RunId, all: boolean): Promise<readonly RecordedAct[]> =>
  sql.query<RecordedAct>(
    `SELECT ${ACT} WHERE a.run_id = $1 AND a.allowed AND ($3 OR a.assertion IS NULL) AND ${UNCHECKED}
     ORDER BY a.at LIMIT $2`,
    [uuidOf(run), PAGE, all],
  );

/** Those whose turn it is: a portion, the longest waiting first. */
const turnOfLeft = (sql: Sql): Promise<readonly RecordedAct[]> =>
  sql.query<RecordedAct>(
    `SELECT ${ACT} JOIN audit.unchecked_approvals u ON (u.run_id, u.update_id) = (a.run_id, a.update_id)
     WHERE u.again_at <= clock_timestamp() ORDER BY u.again_at LIMIT $1`,
    [PAGE],
  );

async function countLeft(sql: Sql): Promise<number> {
  const [row] = await sql.query<{ count: bigint }>('SELECT count(*) FROM audit.unchecked_approvals');
  return Number(row?.count ?? 0);
}

async function countUncheckable(sql: Sql): Promise<number> {
  const [row] = await sql.query<{ count: bigint }>(
    `SELECT count(*) FROM decide.v_acts a WHERE a.allowed AND a.assertion IS NOT NULL AND a.at >= ${SINCE} AND ${UNCHECKED}`,
  );
  return Number(row?.count ?? 0);
}
