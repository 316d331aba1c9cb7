/**
 * The skill calls of one answer: first decided one after the other, then each proceeds by itself, held or not, and the
 * results return in the order of the calls. Every call that the model asked for is in the trace: decided, or refused
 * before a decision.
 */
import type { CallRefusal } from '../../domain/call-refusal.js';
import { NO_CONTEXT, type ContextEntry } from '../../domain/context.js';
import type { Digest } from '../../domain/ids.js';
import type { SaidFate } from '../../domain/protocol/decide.js';
import type { ModelAnswer, ToolCall } from '../../domain/protocol/execute.js';
import { attemptUntilDone, type Done, type Task } from './attempts.js';
import type { GovernedRun } from './governed-state.js';
import { executeSafely } from '../activity-proxies.js';

type Told = { readonly content: Digest } | { readonly text: string };

/** @param asked the answer, and the step whose answer it is */
export async function callSkills(
  run: GovernedRun,
  asked: { readonly step: number; readonly answer: ModelAnswer },
): Promise<readonly ContextEntry[]> {
  const { toolCalls } = asked.answer;
  const undecided = refuseMalformed(run, asked);
  try {
    return await tell(run, toolCalls, await Promise.all(await begin(run, toolCalls, undecided)));
  } catch (error) {
    for (const [at, call] of undecided) refuse(run, asked.step, at, call, 'run_ended');
    throw error;
  }
}

/** What is refused is noted first, whatever comes of the rest. @returns the others by their place */
function refuseMalformed(
  run: GovernedRun,
  { step, answer }: { readonly step: number; readonly answer: ModelAnswer },
): Map<number, ToolCall> {
  const { toolCalls, dropped } = answer;
  for (const [at, call] of toolCalls.entries())
    if (call.malformed !== undefined) refuse(run, step, at, call, call.refusal ?? 'arguments_do_not_fit');
  if (dropped !== undefined)
    run.trace.note('call.refused', `${step}.call.rest.refused`, {
      step,
      code: 'too_many_calls' satisfies CallRefusal,
      calls: dropped.calls,
      digest: dropped.digest,
    });
  return new Map([...toolCalls.entries()].filter(([, call]) => call.malformed === undefined));
}

function refuse(run: GovernedRun, step: number, at: number, call: ToolCall, code: CallRefusal): void {
  run.trace.note('call.refused', `${step}.call.${at + 1}.refused`, {
    step,
    skill: call.skill,
    code,
    digest: call.argumentsDigest,
  });
}

async function begin(
  run: GovernedRun,
  calls: readonly ToolCall[],
  undecided: Map<number, ToolCall>,
): Promise<readonly Promise<Told>[]> {
  const turn = run.nextTurn();
  const running: Promise<Told>[] = [];
  for (const [at, call] of calls.entries()) {
    if (call.malformed !== undefined) {
      running.push(Promise.resolve({ content: call.malformed }));
      continue;
    }
    // The first decision is awaited before the next is asked for; a hold or the call itself is not, but what ends the run is.
    const decided = new Promise<void>((resolve) => {
      const task = taskOf(run, turn, call, () => undecided.delete(at));
      running.push(attemptUntilDone(run, { ...task, onDecided: resolve }).then(told));
    });
    if (at < calls.length - 1) await Promise.race([decided, Promise.all(running)]);
  }
  return running;
}

const taskOf = (run: GovernedRun, turn: number, call: ToolCall, onNoted: () => void): Task => ({
  step: run.nextStep(),
  turn,
  repeatable: call.repeatable,
  onNoted,
  draft: {
    kind: 'skill.call',
    target: call.target,
    argumentsDigest: call.argumentsDigest,
    contextDigest: NO_CONTEXT,
    access: call.access,
  },
});

/** In the order asked; what has no output of its own is stored first. */
async function tell(
  run: GovernedRun,
  calls: readonly ToolCall[],
  answers: readonly Told[],
): Promise<readonly ContextEntry[]> {
  const texts = answers.flatMap((one) => ('text' in one ? [one.text] : []));
  const digests = texts.length === 0 ? [] : await executeSafely['execute.tell']({ run: run.run, texts });
  let next = 0;
  return calls.map((call, index) => {
    const one = answers[index];
    const content = one !== undefined && 'content' in one ? one.content : digests[next++];
    if (content === undefined) throw new Error('a skill call came back without content');
    return { role: 'tool', content, callId: call.callId, skill: call.skill };
  });
}

const lookedAt = (said: SaidFate | null): string =>
  said === null
    ? 'do not take it for done or not done'
    : `looked at by ${said.by}: ${said.was === 'done' ? 'it was done' : 'it was not done'}`;

/** What the model hears of a skill call that has no output of its own. */
function told(done: Done): Told {
  switch (done.status) {
    case 'succeeded':
      return { content: done.contentDigest };
    case 'denied':
      return { text: `denied: ${done.reasons.map((reason) => `${reason.code}: ${reason.text}`).join('; ')}` };
    case 'failed':
      return { text: `failed: ${done.code}` };
    case 'unknown':
      return { text: `unknown: nobody heard whether this was done; ${lookedAt(done.said)}` };
  }
}
