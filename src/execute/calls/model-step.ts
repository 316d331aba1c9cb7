/**
 * One model call: load the conversation and compute its digest again, ask the model under the warrant, store the answer
 * as the next entry of the conversation, check the skill calls in it. The grant leaves nothing to choose: the warrant's
 * digest fixes the model, and its redemption returns the output limit.
 */
import type { Agent } from '../../domain/agent.js';
import { RokError } from '../../domain/errors.js';
import { modelSettingsDigest, type Intent } from '../../domain/intent.js';
import type { ExecuteStep, StepResult } from '../../domain/protocol/execute.js';
import { classifyModelError } from './classify.js';
import { loadConversation, storeContext } from '../content/context-chain.js';
import { contentOf } from '../content/content-store.js';
import { answerText, conversationOf } from '../content/conversation.js';
import type { ExecuteDeps, InFlight } from '../deps.js';
import type { Conversation, ModelReply } from '../models/model-gateway.js';
import { storeFirstContext } from '../content/first-context.js';
import { droppedCalls, readToolCalls, withOwnIds } from './tool-calls.js';
import { underWarrant, type Done } from '../warrant.js';

const MODEL_TIMEOUT_MS = 600_000;

type Prepared = {
  readonly intent: Intent;
  readonly conversation: Conversation;
  readonly salt: Uint8Array;
  readonly askedOutputTokens: number;
};

/** @throws RokError before anything was redeemed */
export async function modelStep(
  deps: ExecuteDeps,
  step: ExecuteStep,
  agent: Agent,
  inFlight: InFlight,
): Promise<StepResult> {
  const { intent, conversation, salt, askedOutputTokens } = await prepared(deps, step, agent);
  const request = { run: step.run, intent, timeoutMs: MODEL_TIMEOUT_MS };
  return underWarrant(deps, request, inFlight, {
    async run(token, signal, grantedOutput) {
      // As the database has it: what came with the activity may say anything. What was asked for is bound by the warrant.
      const maxOutputTokens = Math.min(grantedOutput ?? askedOutputTokens, askedOutputTokens);
      const asked = { ...conversation, maxOutputTokens, attempt: intent.attempt };
      const reply = await deps.registry.callModel(token, intent.target, asked, signal);
      return doneOf(reply, deps, agent, salt);
    },
    classify: (error) => classifyModelError(error, new Date()),
  });
}

async function prepared({ database, registry }: ExecuteDeps, step: ExecuteStep, agent: Agent): Promise<Prepared> {
  const { run, context, grant } = step;
  const { askedOutputTokens } = step.intent;
  const target = grant.model ?? step.intent.target;
  if (![agent.model, agent.downgrade].includes(target) || !registry.serves(target))
    throw new RokError('model_unknown', `agent \`${agent.name}\` has no model \`${target}\` that is served here`);
  if (context === undefined || askedOutputTokens === undefined)
    throw new RokError('content_missing', 'a model call needs a conversation and an output limit');
  if (step.first !== undefined) await storeFirstContext({ database, registry }, run, agent, step.first);
  const [{ salt, entries }, contextDigest] = await Promise.all([
    loadConversation(database, run, context),
    storeContext(database, run, context),
  ]);
  const conversation = conversationOf(entries);
  return {
    intent: { ...step.intent, target, argumentsDigest: modelSettingsDigest(agent.digest), contextDigest },
    conversation,
    salt,
    askedOutputTokens,
  };
}

function doneOf(reply: ModelReply, { registry }: ExecuteDeps, agent: Agent, salt: Uint8Array): Done {
  const called = withOwnIds(reply.toolCalls);
  const answer = contentOf(salt, 'assistant', answerText(reply.text, called));
  const { toolCalls, contents } = readToolCalls(called, { registry, skills: agent.skills, salt });
  const dropped = droppedCalls(reply.toolCalls, salt);
  return {
    contents: [answer, ...contents, ...(dropped === undefined ? [] : [dropped])],
    contentDigest: answer.digest,
    usage: reply.usage,
    reportedModel: reply.reportedModel,
    finishReason: reply.finishReason,
    model: {
      finishReason: reply.finishReason,
      truncated: reply.finishReason === 'length' || called.length < reply.toolCalls.length,
      toolCalls,
      ...(dropped === undefined
        ? {}
        : { dropped: { calls: reply.toolCalls.length - called.length, digest: dropped.digest } }),
      entry: { role: 'assistant', content: answer.digest },
    },
  };
}
