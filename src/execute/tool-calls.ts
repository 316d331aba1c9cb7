/**
 * The skill calls of an answer, checked before anyone is asked to allow them: known skill, arguments that parse, fit and
 * have one canonical form. What does not goes back to the model as an error text instead of becoming an intent. Pure.
 */
import { canonicalJson, CanonicalJsonError } from '../domain/canonical-json.js';
import type { Json } from '../domain/json.js';
import type { ToolCall } from '../domain/protocol/execute.js';
import { contentOf, type Content } from './content-store.js';
import type { CalledTool } from './models/model-gateway.js';
import type { Registry, SkillFacts } from './registry.js';

export const MAX_TOOL_CALLS = 64;
const MAX_ARGUMENT_BYTES = 65_536;
const MAX_ID_CHARS = 64;
const MAX_NAME_CHARS = 128;
const MAX_ERROR_CHARS = 2_000;

export type ReadCalls = { readonly toolCalls: readonly ToolCall[]; readonly contents: readonly Content[] };

/** Calls under ids that are all different and short: models repeat them, and answers are matched by them. */
export function withOwnIds(called: readonly CalledTool[]): readonly CalledTool[] {
  const seen = new Set<string>();
  return called.slice(0, MAX_TOOL_CALLS).map((call, at) => {
    const usable = /^[\x21-\x7e]+$/.test(call.id) && call.id.length <= MAX_ID_CHARS && !seen.has(call.id);
    let id = usable ? call.id : `call_${at + 1}`;
    while (seen.has(id)) id = `${id}_`;
    seen.add(id);
    return { ...call, id };
  });
}

export function readToolCalls(
  called: readonly CalledTool[],
  {
    registry,
    skills,
    salt,
  }: { readonly registry: Registry; readonly skills: readonly string[]; readonly salt: Uint8Array },
): ReadCalls {
  const read = called.map((call) => {
    const facts = skills.includes(call.name) ? registry.skill(call.name) : undefined;
    if (facts === undefined)
      return malformed(call, undefined, salt, `there is no skill of that name; there are: ${skills.join(', ')}`);
    const checked = checkArguments(call, registry);
    if (!checked.ok) return malformed(call, facts, salt, checked.problem);
    const content = contentOf(salt, 'arguments', checked.text);
    return { toolCall: { ...namesOf(call, facts), argumentsDigest: content.digest }, content };
  });
  return { toolCalls: read.map(({ toolCall }) => toolCall), contents: read.map(({ content }) => content) };
}

const namesOf = (call: CalledTool, facts: SkillFacts | undefined) => ({
  callId: call.id,
  skill: facts?.name ?? call.name.slice(0, MAX_NAME_CHARS),
  target: facts?.target ?? call.name.slice(0, MAX_NAME_CHARS),
  access: facts?.access ?? ('read' as const),
  repeatable: facts?.repeatable ?? false,
});

/** There are no arguments to name, so the error text's digest stands for them. */
function malformed(call: CalledTool, facts: SkillFacts | undefined, salt: Uint8Array, problem: string) {
  const text = JSON.stringify({ error: 'arguments_invalid', message: problem.slice(0, MAX_ERROR_CHARS) });
  const content = contentOf(salt, 'malformed', text);
  return { toolCall: { ...namesOf(call, facts), argumentsDigest: content.digest, malformed: content.digest }, content };
}

type Checked = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly problem: string };

function checkArguments({ name, argumentsText }: CalledTool, registry: Registry): Checked {
  if (Buffer.byteLength(argumentsText) > MAX_ARGUMENT_BYTES)
    return { ok: false, problem: `the arguments are longer than ${MAX_ARGUMENT_BYTES} bytes` };
  let value: Json;
  try {
    // Models leave the arguments of a call without parameters empty.
    value = JSON.parse(argumentsText.trim() === '' ? '{}' : argumentsText) as Json;
  } catch {
    return { ok: false, problem: 'the arguments are not JSON' };
  }
  const problems = registry.problemsOf(name, value);
  if (problems.length > 0) return { ok: false, problem: problems.join('; ') };
  try {
    return { ok: true, text: canonicalJson(value) };
  } catch (error) {
    if (!(error instanceof CanonicalJsonError)) throw error;
    return { ok: false, problem: `the arguments have no exact form: ${error.message}` };
  }
}
