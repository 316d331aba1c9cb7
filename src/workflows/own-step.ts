/**
 * One step of a user's own workflow: decide, redeem, run the user's activity, record its result, and settle it with the
 * next decision.
 */
import { ApplicationFailure, isCancellation, uuid4 } from '@temporalio/workflow';
import { NO_CONTEXT } from '../domain/context.js';
import type { Reason } from '../domain/decision.js';
import { settingsDigest } from '../domain/digest.js';
import type { Json, JsonObject } from '../domain/json.js';
import type { GovernedRun, Permit } from './run/governed-state.js';
import { executeSafely } from './activity-proxies.js';

/** `name` is what policies see as the skill; the run's agent must list it. Arguments are canonical JSON (integers, no floats). */
export type OwnStep = { readonly name: string; readonly arguments: JsonObject; readonly access: 'read' | 'write' };

/** Thrown where a policy denies the step; the workflow may catch it and go on. */
export class StepDenied extends Error {
  constructor(readonly reasons: readonly Reason[]) {
    super(reasons.map((reason) => reason.text).join('; '));
    this.name = 'StepDenied';
  }
}

/**
 * @throws StepDenied when the decision is a denial that does not end the run
 * @throws whatever `work` throws, after the attempt was recorded as unknown
 */
export async function ownStep<T extends Json>(run: GovernedRun, step: OwnStep, work: () => Promise<T>): Promise<T> {
  const { argumentsSalt } = run.opened;
  const permitted = await run.permit({
    step: run.nextStep(),
    attempt: 1,
    turn: run.nextTurn(),
    arguments: step.arguments,
    ...(argumentsSalt === undefined ? {} : { argumentsSalt }),
    draft: {
      kind: 'skill.call',
      target: `${step.name}@1`,
      argumentsDigest: settingsDigest(step.arguments, argumentsSalt),
      contextDigest: NO_CONTEXT,
      access: step.access,
    },
  });
  if (!permitted.allowed) throw new StepDenied(permitted.reasons);
  return perform(run, permitted.permit, step, work);
}

async function perform<T extends Json>(
  run: GovernedRun,
  { intent }: Permit,
  step: OwnStep,
  work: () => Promise<T>,
): Promise<T> {
  const nonce = uuid4();
  const { argumentsSalt } = run.opened;
  const salted = argumentsSalt === undefined ? {} : { argumentsSalt };
  const begin = { run: run.run, intent, arguments: step.arguments, ...salted, nonce };
  const begun = await executeSafely['execute.begin'](begin);
  if (!begun.redeemed)
    throw ApplicationFailure.nonRetryable(`the warrant was refused: ${begun.refusal}`, 'warrant_refused');
  const key = { run: run.run, step: intent.step, attempt: intent.attempt };
  try {
    const output = await work();
    run.executed(intent, await executeSafely['execute.record']({ ...key, ended: { status: 'succeeded', output } }));
    return output;
  } catch (error) {
    if (isCancellation(error)) throw error;
    const ended = { status: 'unknown' as const, cause: 'the activity failed' };
    run.executed(intent, await executeSafely['execute.record']({ ...key, ended }));
    throw error;
  }
}
