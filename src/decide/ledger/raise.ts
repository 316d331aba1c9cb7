/**
 * The act `raise_budget`: parses the raise, lets the database apply it in the act's own transaction, and resolves the
 * holds that waited for it. It does not judge the new cap: each waiting step is decided again and may be refused again.
 */
import { RokError } from '../../domain/errors.js';
import { uuidOf, type Digest, type RunId } from '../../domain/ids.js';
import type { ActRequest } from '../../domain/protocol/decide.js';
import { parseRaise, raiseDigest, raiseText, type BudgetRaise } from '../../domain/protocol/raise.js';
import type { Sql } from '../../domain/sql.js';
import { endHold } from '../lifecycle/holds.js';

export type Raising = { readonly raise: BudgetRaise; readonly text: string; readonly digest: Digest };

/** Null for every other act. @throws RokError usage for a raise that is none */
export function raisingOf(request: ActRequest): Raising | null {
  if (request.verb !== 'raise_budget') return null;
  const parsed = parseRaise(request.raise);
  if (!parsed.ok) throw new RokError('usage', parsed.problem);
  return { raise: parsed.raise, text: raiseText(parsed.raise), digest: raiseDigest(parsed.raise) };
}

/** The open holds of this run that wait for the very account that is to be raised. */
export async function heldFor(sql: Sql, run: RunId, { raise }: Raising): Promise<readonly number[]> {
  const { scope, subject, unit, window } = raise;
  const [row] = await sql.query<{ holds: readonly number[] }>('SELECT decide.held_for($1, $2, $3, $4, $5) AS holds', [
    uuidOf(run),
    scope,
    subject,
    unit,
    window,
  ]);
  return row?.holds ?? [];
}

/** Ends the holds that waited for what the act raised, and for which it was in time; asked again, says which they were. */
export async function endRaised(
  sql: Sql,
  { run, updateId }: Pick<ActRequest, 'run' | 'updateId'>,
): Promise<readonly number[]> {
  const [row] = await sql.query<{ holds: readonly number[] }>('SELECT decide.raised_holds($1, $2) AS holds', [
    uuidOf(run),
    updateId,
  ]);
  const holds = row?.holds ?? [];
  for (const hold of holds) await endHold(sql, run, { hold }, 'raised');
  return holds;
}

type Raised =
  | { readonly raised: true }
  | { readonly raised: false; readonly why: 'closed' | 'unknown' }
  | { readonly raised: false; readonly why: 'moved'; readonly cap: string };
export type RaiseRefusal = { readonly rule: string; readonly why: string };

/** Null when the cap is raised; else nothing has changed. The run's row is locked by now. */
export async function applyRaise(
  sql: Sql,
  { run, updateId }: Pick<ActRequest, 'run' | 'updateId'>,
  { raise, text }: Raising,
): Promise<RaiseRefusal | null> {
  const [row] = await sql.query<{ answer: Raised }>('SELECT decide.raise_budget($1, $2, $3) AS answer', [
    uuidOf(run),
    updateId,
    text,
  ]);
  if (row === undefined) throw new Error('the ledger did not answer');
  const { answer } = row;
  if (answer.raised) return null;
  if (answer.why === 'moved')
    return { rule: 'budget.moved', why: `the cap is ${answer.cap}, and the raise was based on ${raise.from}` };
  return answer.why === 'unknown'
    ? { rule: 'budget.unknown', why: 'the run falls under no such budget' }
    : { rule: 'access.state', why: 'the run admits nothing more' };
}
