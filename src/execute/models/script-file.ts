/** Parses a recorded transcript: one JSON line per model call. The whole file is parsed before the first answer. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { RokError } from '../../domain/errors.js';

export const FAULTS = ['hang', 'unknown', 'rate_limited', 'refused'] as const;
const tokens = z.int().min(0);
const toolCall = z.union([
  z.strictObject({ id: z.string().optional(), name: z.string(), arguments: z.json() }),
  z.strictObject({ id: z.string().optional(), name: z.string(), argumentsText: z.string() }),
]);
const scriptLine = z.strictObject({
  content: z.string().default(''),
  toolCalls: z.array(toolCall).default([]),
  /** Absent: the provider reports none. */
  usage: z
    .strictObject({
      inputTokens: tokens,
      outputTokens: tokens,
      cachedInputTokens: tokens.default(0),
      reasoningTokens: tokens.default(0),
    })
    .optional(),
  finishReason: z.string().default('stop'),
  model: z.string().optional(),
  latencyMs: z.int().min(0).max(600_000).optional(),
  /** Befalls the first attempt of the step. */
  fault: z.enum(FAULTS).optional(),
});
export type ScriptLine = z.infer<typeof scriptLine>;

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** @throws RokError model_unknown when there is no such script, config_invalid when a line of it does not parse */
export async function readScript(folder: string, name: string): Promise<readonly ScriptLine[]> {
  if (!NAME.test(name)) throw new RokError('model_unknown', `\`${name.slice(0, 128)}\` is not the name of a script`);
  const file = join(folder, `${name}.jsonl`);
  const text = await readFile(file, 'utf8').catch(() => {
    throw new RokError('model_unknown', `there is no script \`${name}.jsonl\``, 'add it to the folder of scripts');
  });
  return text
    .split('\n')
    .map((line, at) => ({ line, number: at + 1 }))
    .filter(({ line }) => line.trim() !== '')
    .map(({ line, number }) => parseLine(line, `${name}.jsonl:${number}`));
}

function parseLine(line: string, place: string): ScriptLine {
  const parsed = scriptLine.safeParse(jsonOf(line));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new RokError(
    'config_invalid',
    `\`${place}\`: ${issue?.path.map(String).join('.') ?? ''} ${issue?.message ?? ''}`,
  );
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
