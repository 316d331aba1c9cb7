/**
 * Checks the skill calls in a model's answer before the deciding power sees them: the arguments parse, fit the skill,
 * and have one canonical form. A call that fails goes back to the model as an error text and never becomes an intent.
 * Which skills an agent may use is decided, not checked here. Pure.
 */
import type { CallRefusal } from '../../domain/call-refusal.js';
import { canonicalJson, CanonicalJsonError } from '../../domain/canonical-json.js';
import type { Json } from '../../domain/json.js';
import type { ToolCall } from '../../domain/protocol/execute.js';
import { storable } from '../../domain/text.js';
import { contentOf, type Content } from '../content/content-store.js';
import { cutText } from '../content/cut-text.js';
import type { CalledTool } from '../models/model-gateway.js';
import type { Registry, SkillFacts } from '../registry.js';

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

/** What is stored of the calls that an answer has no room for; undefined where there are none. */
export function droppedCalls(called: readonly CalledTool[], salt: Uint8Array): Content | undefined {
  const rest = called.slice(MAX_TOOL_CALLS);
  if (rest.length === 0) return undefined;
  const text = JSON.stringify(rest.map(({ name, argumentsText }) => ({ name, argumentsText })));
  return contentOf(salt, 'malformed', cutText(text, MAX_ARGUMENT_BYTES));
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
    const facts = registry.skill(call.name);
    if (facts === undefined) return unknown(call, salt);
    const checked = readArguments(call, registry);
    if (!skills.includes(call.name)) return unlisted(call, facts, salt, checked);
    if (!checked.ok) return malformed(call, facts, salt, checked);
    const content = contentOf(salt, 'arguments', checked.text);
    return { toolCall: { ...namesOf(call, facts), argumentsDigest: content.digest }, content };
  });
  return { toolCalls: read.map(({ toolCall }) => toolCall), contents: read.map(({ content }) => content) };
}

const namesOf = (call: CalledTool, facts: SkillFacts) => ({
  callId: call.id,
  skill: facts.name,
  target: facts.target,
  access: facts.access,
  repeatable: facts.repeatable,
});

type Read = { readonly toolCall: ToolCall; readonly content: Content };

/** Asked for as it is, and denied by the deciders: the agent has no such skill. */
function unlisted(call: CalledTool, facts: SkillFacts, salt: Uint8Array, checked: Checked): Read {
  const content = checked.ok ? contentOf(salt, 'arguments', checked.text) : asWritten(call, salt);
  return { toolCall: { ...namesOf(call, facts), argumentsDigest: content.digest }, content };
}

/**
 * So is what is registered nowhere, under a name that nothing registered has: a model makes up `orders.refund@1` too. Nobody
 * knows what it would do, so it is taken for a write, and its arguments for text.
 */
function unknown(call: CalledTool, salt: Uint8Array): Read {
  const content = asWritten(call, salt);
  const skill = storable(call.name, MAX_NAME_CHARS);
  const target = `${skill.replaceAll('@', '\uFFFD')}@unknown`;
  const names = { callId: call.id, skill, target, access: 'write', repeatable: false } as const;
  return { toolCall: { ...names, argumentsDigest: content.digest }, content };
}

const asWritten = ({ argumentsText }: CalledTool, salt: Uint8Array): Content =>
  contentOf(salt, 'malformed', cutText(argumentsText, MAX_ARGUMENT_BYTES));

/** There are no arguments to name, so the error text's digest stands for them. */
function malformed(call: CalledTool, facts: SkillFacts, salt: Uint8Array, { problem, refusal }: Refused): Read {
  const text = JSON.stringify({ error: 'arguments_invalid', message: problem.slice(0, MAX_ERROR_CHARS) });
  const content = contentOf(salt, 'malformed', text);
  const toolCall = { ...namesOf(call, facts), argumentsDigest: content.digest, malformed: content.digest, refusal };
  return { toolCall, content };
}

type Refused = { readonly ok: false; readonly problem: string; readonly refusal: CallRefusal };
type Checked = { readonly ok: true; readonly text: string } | Refused;

function readArguments({ name, argumentsText }: CalledTool, registry: Registry): Checked {
  const no = (refusal: CallRefusal, problem: string): Checked => ({ ok: false, problem, refusal });
  if (Buffer.byteLength(argumentsText) > MAX_ARGUMENT_BYTES)
    return no('arguments_too_long', `the arguments are longer than ${MAX_ARGUMENT_BYTES} bytes`);
  let value: Json;
  try {
    // Models leave the arguments of a call without parameters empty.
    value = JSON.parse(argumentsText.trim() === '' ? '{}' : argumentsText) as Json;
  } catch {
    return no('arguments_not_json', 'the arguments are not JSON');
  }
  const problems = registry.problemsOf(name, value);
  if (problems.length > 0) return no('arguments_do_not_fit', problems.join('; '));
  try {
    return { ok: true, text: canonicalJson(value) };
  } catch (error) {
    if (!(error instanceof CanonicalJsonError)) throw error;
    return no('arguments_inexact', `the arguments have no exact form: ${error.message}`);
  }
}
