/**
 * What ROK needs to run a recorded run again: an agent with limits taken from the record, the scripted model's lines, and
 * what the skill has to answer at each step. Pure. Nothing is made easier than it was: prompts and observations have their
 * recorded lengths, and an answer that did not hold exactly one command is a malformed call.
 */
import { templateTokens, tokenUpperBound } from '../../src/domain/tokens.js';
import type { PriceRows, RecordedCall, Recording } from './recording.js';
import { RECORDED_MODEL } from './recording.js';

export const SKILL = 'shell.run';
/** The longest observation that is recorded, with room. */
export const MAX_OUTPUT_BYTES = 262_144;
const INSTRUCTIONS =
  'You solve the task by one shell command at a time, and end with a last answer that asks for none.';
/** Room for a prompt's overhead per call (ids, names, JSON around it) in the caps, which are bounds and not estimates. */
const OVERHEAD_BYTES = 20_000;

export type Observed = { readonly command: string; readonly observation: string };
export type Replay = {
  readonly id: string;
  readonly model: string;
  /** Of `agents/<id>.yaml`; JSON is YAML. */
  readonly agent: Readonly<Record<string, unknown>>;
  /** Of `agents/scripts/<id>.jsonl`. */
  readonly script: string;
  readonly input: string;
  /** By ROK's step number. */
  readonly observed: ReadonlyMap<number, Observed>;
  readonly malformed: number;
};

/** The commands of an answer: its ```bash blocks. */
export const commandsOf = (answer: string): readonly string[] =>
  [...answer.matchAll(/```bash\s*\n([\s\S]*?)\n```/g)].map((found) => found[1] ?? '');

/** The observation at its recorded length, in Unicode characters as they were counted. */
export function padded(text: string, chars: number): string {
  const missing = chars - Array.from(text).length;
  return missing > 0 ? text + '.'.repeat(missing) : text;
}

export function replayOf(recording: Recording, prices: PriceRows): Replay {
  const { id, steps } = recording;
  const calls = steps.slice(0, -1);
  const lines = steps.map((call, at) => lineOf(call, at === steps.length - 1));
  return {
    id,
    model: `scripted/${id}`,
    agent: {
      name: id,
      model: `scripted/${id}`,
      instructions: INSTRUCTIONS,
      maxOutputTokens: Math.max(...steps.map((call) => call.usage.completion_tokens)),
      skills: [SKILL],
      limits: limitsOf(recording, prices),
      policies: ['default'],
    },
    script: `${lines.map((line) => JSON.stringify(line)).join('\n')}\n`,
    input: padded(`Recorded task ${id}. `, recording.task_chars),
    observed: observedOf(calls),
    malformed: calls.filter((call) => commandsOf(call.content).length !== 1).length,
  };
}

function lineOf({ content, usage, finish_reason: finishReason }: RecordedCall, last: boolean) {
  const commands = commandsOf(content);
  const args = commands.length === 1 ? { command: commands[0] } : { commands };
  return {
    content,
    toolCalls: last ? [] : [{ name: SKILL, arguments: args }],
    usage: {
      inputTokens: usage.prompt_tokens,
      outputTokens: usage.completion_tokens,
      cachedInputTokens: usage.cached_tokens,
      reasoningTokens: usage.reasoning_tokens,
    },
    finishReason,
  };
}

/** Model and skill calls are numbered in one sequence; a malformed call becomes no step. */
function observedOf(calls: readonly RecordedCall[]): ReadonlyMap<number, Observed> {
  const observed = new Map<number, Observed>();
  let step = 0;
  for (const { content, observation, observation_chars: chars } of calls) {
    step += 1;
    const [command, ...more] = commandsOf(content);
    if (command === undefined || more.length > 0) continue;
    step += 1;
    observed.set(step, { command, observation: padded(observation, chars) });
  }
  return observed;
}

/** As many steps and calls as were recorded and not one more; money and tokens for them and for one bound on top. */
function limitsOf({ steps, recorded_total_cost_usd: usd, task_chars: task }: Recording, prices: PriceRows) {
  const skillCalls = steps.slice(0, -1).filter((call) => commandsOf(call.content).length === 1).length;
  // What ROK sets aside beside bytes for each message that a prompt has by the end.
  const messages = tokenUpperBound(0) * 2 * (steps.length + skillCalls + 3);
  const bytes = steps.reduce(
    (sum, call) => sum + 4 * (call.content.length * 2 + call.observation_chars) + OVERHEAD_BYTES / steps.length,
    4 * task + OVERHEAD_BYTES + messages + templateTokens('any'),
  );
  const output = Math.max(...steps.map((call) => call.usage.completion_tokens));
  const used = steps.reduce((sum, call) => sum + call.usage.prompt_tokens + call.usage.completion_tokens, 0);
  const bound = bytes * dearest(prices, 'input') + output * dearest(prices, 'output');
  return {
    usd: (usd + bound).toFixed(6),
    tokens: Math.ceil(used + bytes + output),
    steps: steps.length + skillCalls,
    modelCalls: steps.length,
    skillCalls: { [SKILL]: skillCalls },
  };
}

function dearest(prices: PriceRows, direction: 'input' | 'output'): number {
  const row = Object.entries(prices[RECORDED_MODEL] as Readonly<Record<string, unknown>>);
  const rates = row.filter(([name]) => name.startsWith(`${direction}_cost_per_token`));
  return Math.max(...rates.map(([, rate]) => Number(rate)));
}

/** The table the calls were priced with, and a row of it for each scripted model. */
export function pricesFor(replays: readonly Replay[], rows: PriceRows): PriceRows {
  const row = rows[RECORDED_MODEL];
  if (row === undefined) throw new Error(`the price table has no \`${RECORDED_MODEL}\``);
  const scripted = replays.map(({ model }) => model).filter((model) => model.startsWith('scripted/'));
  return { ...rows, ...Object.fromEntries(scripted.map((model) => [model, row])) };
}
