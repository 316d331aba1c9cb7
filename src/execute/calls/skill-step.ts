/**
 * One skill call: load the stored arguments, check them and compute their digest again, run the skill under the
 * warrant, store its output as data, cut at the skill's limit.
 */
import type { Agent } from '../../domain/agent.js';
import { NO_USAGE } from '../../domain/attempt.js';
import { canonicalJson } from '../../domain/canonical-json.js';
import { contextDigest } from '../../domain/context.js';
import { RokError } from '../../domain/errors.js';
import type { Digest, RunId } from '../../domain/ids.js';
import type { Intent } from '../../domain/intent.js';
import type { Json } from '../../domain/json.js';
import type { ExecuteStep, StepResult } from '../../domain/protocol/execute.js';
import { classifySkillError } from './classify.js';
import { contentOf, loadContents } from '../content/content-store.js';
import { cutText } from '../content/cut-text.js';
import type { ExecuteDeps, InFlight } from '../deps.js';
import type { SkillFacts } from '../registry.js';
import { underWarrant } from '../warrant.js';

/** @throws RokError before anything was redeemed */
export async function skillStep(
  deps: ExecuteDeps,
  step: ExecuteStep,
  agent: Agent,
  inFlight: InFlight,
): Promise<StepResult> {
  const { run, context } = step;
  const facts = factsOf(deps, step.intent.target, agent);
  const { salt, input } = await loadArguments(deps, run, step.intent.argumentsDigest, facts);
  const intent: Intent = {
    ...step.intent,
    target: facts.target,
    access: facts.access,
    argumentsDigest: contentOf(salt, 'arguments', canonicalJson(input)).digest,
    // A skill is not shown the conversation; without one, the digest it was asked under is kept as it is.
    contextDigest: context === undefined ? step.intent.contextDigest : contextDigest(context),
  };
  return underWarrant(deps, { run, intent, timeoutMs: facts.timeoutMs }, inFlight, {
    async run(token, signal) {
      const output = await deps.registry.runSkill(token, facts.target, input, {
        run,
        idempotencyKey: idempotencyKey(run, intent, facts),
        signal,
        log: deps.log,
        heartbeat: () => {
          inFlight.heartbeat();
        },
      });
      const text = cutText(typeof output === 'string' ? output : JSON.stringify(output), facts.maxOutputBytes);
      const content = contentOf(salt, 'output', text);
      return {
        contents: [content],
        contentDigest: content.digest,
        usage: NO_USAGE,
        reportedModel: null,
        finishReason: null,
      };
    },
    classify: classifySkillError,
  });
}

function factsOf({ registry }: ExecuteDeps, target: string, agent: Agent): SkillFacts {
  const facts = registry.skillAt(target);
  if (facts === undefined || !agent.skills.includes(facts.name))
    throw new RokError('skill_unknown', `agent \`${agent.name}\` has no skill \`${target}\` that is registered here`);
  return facts;
}

async function loadArguments(
  { database, registry }: ExecuteDeps,
  run: RunId,
  digest: Digest,
  { name }: SkillFacts,
): Promise<{ readonly salt: Uint8Array; readonly input: Json }> {
  const { salt, contents } = await loadContents(database, run, [digest]);
  const content = contents.get(digest);
  if (content?.kind !== 'arguments') throw new RokError('arguments_invalid', `content \`${digest}\` is not arguments`);
  const input = JSON.parse(content.text) as Json;
  const problems = registry.problemsOf(name, input);
  if (problems.length > 0)
    throw new RokError('arguments_invalid', `content \`${digest}\` does not fit the skill \`${name}\``);
  return { salt, input };
}

/** One key for all attempts of a step, where the skill promises that twice with one key is once. */
const idempotencyKey = (run: RunId, { step, attempt }: Intent, { idempotency }: SkillFacts): string =>
  idempotency === 'keyed' ? `${run}/${step}` : `${run}/${step}/${attempt}`;
