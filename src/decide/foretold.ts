/**
 * A step's decision, sent with the ledger's answer foretold: the accounts are then locked for no round trip. Where the ledger
 * says otherwise nothing was done, and the step is decided again, asking and waiting. Both give the same decision.
 */
import type { StepAnswer, StepRequest } from '../domain/protocol/decide.js';
import type { Sql } from '../domain/sql.js';
import type { Caller } from './caller.js';
import type { Deciders } from './deciders.js';
import { isWronglyForetold } from './ledger.js';
import { decideStep } from './step.js';

type Work = (sql: Sql, caller: Caller) => Promise<StepAnswer>;

/** @param inTransaction runs what it is given in one transaction, each time in another */
export async function decideForetold(
  inTransaction: (work: Work) => Promise<StepAnswer>,
  deciders: Deciders,
  request: StepRequest,
): Promise<StepAnswer> {
  const decided = (foretell: boolean): Promise<StepAnswer> =>
    inTransaction((sql, caller) => decideStep(sql, deciders, caller, request, foretell));
  try {
    return await decided(true);
  } catch (error) {
    if (isWronglyForetold(error)) return decided(false);
    throw error;
  }
}
