/**
 * Verifies again what actors signed, with the audit's own copy of the key set and as of the database time at which it was
 * stored. A forged approval that the deciders let pass is found here and nowhere else. It deliberately shares no code with
 * the verification it checks.
 */
import { errors as joseErrors, jwtVerify, type JWTVerifyGetKey } from 'jose';
import type { Sql } from '../domain/sql.js';

export type AssertionKeys = JWTVerifyGetKey;

/** An act that was allowed, as the deciders recorded it. */
export type RecordedAct = {
  readonly runUuid: string;
  readonly updateId: string;
  readonly verb: string;
  readonly actor: string;
  readonly roles: readonly string[];
  readonly issuer: string;
  readonly tokenId: string | null;
  readonly assertion: string | null;
  readonly actionDigest: string | null;
  readonly at: string;
  readonly workflowId: string;
  readonly profile: string;
};
export type ApprovalCheck = { readonly ok: boolean; readonly detail: string };

const PAGE = 200;
const LEEWAY_S = 30;
const LIFETIME_S = 300;

/** Checks what is not checked yet of runs that are due, and of the last day. Answers how many. */
export async function checkApprovals(sql: Sql, keys: AssertionKeys | null): Promise<number> {
  let checked = 0;
  for (;;) {
    const acts = await uncheckedActs(sql);
    for (const act of acts) {
      const { ok, detail } = await checkApproval(act, keys);
      await sql.query(
        `INSERT INTO audit.approval_checks (run_id, update_id, ok, detail) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
        [act.runUuid, act.updateId, ok, detail],
      );
    }
    checked += acts.length;
    if (acts.length < PAGE) return checked;
  }
}

/** Whether the assertion says what the row says. A local actor has none; only STRICT forbids that. */
export async function checkApproval(act: RecordedAct, keys: AssertionKeys | null): Promise<ApprovalCheck> {
  if (act.assertion === null) {
    if (act.profile === 'STRICT') return forged('no assertion, though the profile is STRICT');
    return act.issuer === 'local'
      ? { ok: true, detail: 'a local actor' }
      : forged(`no assertion of issuer ${act.issuer}`);
  }
  if (keys === null) return forged('the audit has no key set to verify it with');
  try {
    const { payload } = await jwtVerify(act.assertion, keys, {
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
      act.roles.every((role) => roles.includes(role)) ? null : 'roles',
    ].filter((lie) => lie !== null);
    return lies.length === 0 ? { ok: true, detail: 'verified' } : forged(`it says otherwise about: ${lies.join(', ')}`);
  } catch (error) {
    // A key set that cannot be fetched is no verdict about the assertion.
    if (!(error instanceof joseErrors.JOSEError) || error instanceof joseErrors.JWKSTimeout) throw error;
    return forged(`it does not verify: ${error.code}`);
  }
}

const forged = (detail: string): ApprovalCheck => ({ ok: false, detail });

const uncheckedActs = (sql: Sql): Promise<readonly RecordedAct[]> =>
  sql.query<RecordedAct>(
    `SELECT a.run_id AS "runUuid", a.update_id AS "updateId", a.verb, a.actor, a.roles, a.issuer, a.token_id AS "tokenId",
       a.assertion, a.action_digest AS "actionDigest", a.at, r.workflow_id AS "workflowId", c.profile
     FROM decide.v_acts a
     JOIN audit.contracts c ON c.run_id = a.run_id
     JOIN decide.v_runs r ON r.run_id = a.run_id
     WHERE a.allowed AND (c.judge_after <= clock_timestamp() OR a.at > clock_timestamp() - interval '1 day')
       AND NOT EXISTS (SELECT FROM audit.approval_checks k WHERE (k.run_id, k.update_id) = (a.run_id, a.update_id))
     ORDER BY a.at LIMIT $1`,
    [PAGE],
  );
