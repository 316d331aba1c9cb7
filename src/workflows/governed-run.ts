/**
 * The run of a configured agent: model call, skill calls, model call, until a final answer. Deterministic. It knows
 * nothing of policy, prices or content: only digests, counts and statuses pass through here.
 */
import { createEventGroup } from '@temporalio/workflow';
import type { ContextRef } from '../domain/context.js';
import { contextDigest, NO_CONTEXT } from '../domain/context.js';
import type { Digest } from '../domain/ids.js';
import { modelSettingsDigest } from '../domain/intent.js';
import type { RunSpec } from '../domain/run-spec.js';
import type { FirstInput, ModelAnswer } from '../domain/protocol/execute.js';
import { RunEnded } from './run/ending.js';
import { governed, type GovernedRun } from './governed.js';
import { executeSafely } from './activity-proxies.js';
import type { RunResult } from './messages/messages.js';
import { attemptUntilDone } from './run/attempts.js';
import { callSkills } from './run/skill-calls.js';

/** Names in it come from a model. */
const LABEL_CHARS = 200;

/** Workflow type `governedRun`: one governed execution of one agent. */
export async function governedRun(spec: RunSpec): Promise<RunResult> {
  return governed(spec, (run) => converse(run, spec));
}

async function converse(run: GovernedRun, spec: RunSpec): Promise<Digest> {
  const { opened } = run;
  if (opened.agentDigest === null || opened.model === null)
    throw new RunEnded({ outcome: 'failed', detail: 'the agent is not configured' });
  const first = opened.opening === undefined ? undefined : { ...opened.opening, input: spec.input };
  const begins = first?.digest ?? (await prepare(run, opened.agentDigest, spec));
  run.trace.note('run.prepared', 'run.prepared', { context: begins });

  let context: ContextRef = { base: begins, added: [] };
  for (;;) {
    const turn = run.nextTurn();
    const step = run.nextStep();
    const opening = turn === 1 ? first : undefined;
    const said = await group(`turn ${turn}: model`, () => callModel(run, { step, turn, context, opening }));
    const { answer } = said;
    if (answer.toolCalls.length === 0) {
      if (answer.truncated)
        throw new RunEnded({ outcome: 'failed', detail: 'the final answer was cut at its output limit' });
      return said.contentDigest;
    }
    const skills = answer.toolCalls.map((call) => call.skill).join(', ');
    const results = await group(`turn ${turn}: ${skills.slice(0, LABEL_CHARS)}`, () =>
      callSkills(run, { step, answer }),
    );
    context = { base: said.context, added: [answer.entry, ...results] };
  }
}

/** Where no execute worker had counted what the agent brings when the run was opened. */
async function prepare({ run, opened }: GovernedRun, agentDigest: Digest, spec: RunSpec): Promise<Digest> {
  const { agent } = opened;
  const prepared = await executeSafely['execute.prepare']({ run, agent, agentDigest, input: spec.input });
  return prepared.contextDigest;
}

const group = <T>(label: string, work: () => Promise<T>): Promise<T> => createEventGroup(label).withScope(work);

type Said = { readonly answer: ModelAnswer; readonly contentDigest: Digest; readonly context: Digest };

type Asked = {
  readonly step: number;
  readonly turn: number;
  readonly context: ContextRef;
  readonly opening: FirstInput | undefined;
};

async function callModel(run: GovernedRun, { step, turn, context, opening }: Asked): Promise<Said> {
  const { opened } = run;
  const named = contextDigest(context);
  const done = await attemptUntilDone(run, {
    step,
    turn,
    context,
    ...(opening === undefined ? {} : { first: opening }),
    repeatable: true,
    draft: {
      kind: 'model.call',
      target: opened.model ?? '',
      argumentsDigest: modelSettingsDigest(opened.agentDigest ?? NO_CONTEXT),
      contextDigest: named,
      askedOutputTokens: opened.maxOutputTokens,
    },
  });
  if (done.status === 'denied')
    throw new RunEnded({ outcome: 'policy_stopped', detail: done.reasons.map((reason) => reason.text).join('; ') });
  if (done.status === 'failed')
    throw new RunEnded({ outcome: 'failed', detail: `the model call failed: ${done.code}` });
  // A model call may be repeated, so it waits for nobody.
  if (done.status === 'unknown')
    throw new RunEnded({ outcome: 'failed', detail: 'nobody heard whether the model was asked' });
  if (done.model === undefined) throw new RunEnded({ outcome: 'failed', detail: 'the model gave no answer' });
  return { answer: done.model, contentDigest: done.contentDigest, context: named };
}
