/**
 * Runs one step of any kind. A refusal before the warrant was redeemed is an answer, `failed` with its code: nothing
 * was called, nothing is charged, and the run may ask again.
 */
import type { Agent } from '../domain/agent.js';
import { RokError } from '../domain/errors.js';
import type { Digest } from '../domain/ids.js';
import type { ExecuteStep, StepResult } from '../domain/protocol/execute.js';
import { causeOf } from './calls/classify.js';
import type { ExecuteDeps, InFlight } from './deps.js';
import { modelStep } from './calls/model-step.js';
import { skillStep } from './calls/skill-step.js';

export async function runStep(deps: ExecuteDeps, step: ExecuteStep, inFlight: InFlight): Promise<StepResult> {
  try {
    const agent = agentOf(deps, step.agent, step.agentDigest);
    if (step.intent.kind === 'model.call') return await modelStep(deps, step, agent, inFlight);
    if (step.intent.kind === 'skill.call') return await skillStep(deps, step, agent, inFlight);
    throw new RokError('warrant_refused', `\`${step.intent.kind}\` is not a call`);
  } catch (error) {
    // underWarrant throws nothing once it redeemed: what arrives here happened before.
    const code = error instanceof RokError ? error.code : 'warrant_refused';
    const why = error instanceof RokError ? error.message : causeOf(error);
    const { run, intent } = step;
    deps.log.warn({ run, step: intent.step, attempt: intent.attempt, code, why }, 'nothing was called');
    return { result: { status: 'failed', code }, resultDigest: null };
  }
}

/** @throws RokError agent_unknown when this worker's agent file is not the one the run was opened with */
export function agentOf({ agents }: ExecuteDeps, name: string, digest: Digest): Agent {
  const agent = agents.get(name);
  if (agent === undefined) throw new RokError('agent_unknown', `no agent \`${name}\` is configured on this worker`);
  if (agent.digest !== digest)
    throw new RokError('agent_unknown', `agent \`${name}\` is configured differently on this worker`);
  return agent;
}
