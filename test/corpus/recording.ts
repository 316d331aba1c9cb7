/**
 * Recorded runs and price tables as a data folder holds them, parsed and nothing more. A folder of the same layout may be
 * anywhere, its files gzipped or plain.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { z } from 'zod';

const count = z.int().min(0);
const recordedCall = z.object({
  content: z.string(),
  finish_reason: z.string(),
  usage: z.object({
    prompt_tokens: count,
    completion_tokens: count,
    cached_tokens: count,
    reasoning_tokens: count,
  }),
  recorded_cost_usd: z.number().min(0),
  /** May be cut; `observation_chars` is its real length. */
  observation: z.string(),
  observation_chars: count,
});
const recording = z.object({
  id: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/),
  api_calls: count,
  recorded_total_cost_usd: z.number().min(0),
  task_chars: count,
  steps: z.array(recordedCall).min(1),
});
export type RecordedCall = z.infer<typeof recordedCall>;
export type Recording = z.infer<typeof recording>;
export type PriceRows = Readonly<Record<string, unknown>>;

/** What the recorded calls were priced with. */
export const RECORDED_MODEL = 'gemini/gemini-3-pro-preview';
export const TABLES = {
  recorded: 'prices/model_prices-litellm-1.80.7.json',
  newer: 'prices/model_prices_and_context_window_backup.json',
} as const;
const TRANSCRIPTS = 'transcripts/agent-runs.jsonl';

/** Beside the project, where it is present. */
export const sharedData = fileURLToPath(new URL('../../../shared/data', import.meta.url));
/** Hand-written, of the same layout: always present. */
export const fixtureData = fileURLToPath(new URL('fixture', import.meta.url));

export const holdsTranscripts = (folder: string): boolean => fileIn(folder, TRANSCRIPTS) !== undefined;

/** @throws Error naming the line that is not a recorded run */
export async function readRecordings(folder: string): Promise<readonly Recording[]> {
  const lines = (await textOf(folder, TRANSCRIPTS)).split('\n').filter((line) => line.trim() !== '');
  return lines.map((line, at) => {
    const parsed = recording.safeParse(JSON.parse(line));
    if (parsed.success) return parsed.data;
    throw new Error(`\`${TRANSCRIPTS}:${at + 1}\` is not a recorded run: ${z.prettifyError(parsed.error)}`);
  });
}

export async function readPriceRows(folder: string, table: string): Promise<PriceRows> {
  return z.record(z.string(), z.unknown()).parse(JSON.parse(await textOf(folder, table)));
}

function fileIn(folder: string, name: string): string | undefined {
  return [`${name}.gz`, name].map((file) => join(folder, file)).find((file) => existsSync(file));
}

async function textOf(folder: string, name: string): Promise<string> {
  const file = fileIn(folder, name);
  if (file === undefined) throw new Error(`\`${folder}\` has neither \`${name}.gz\` nor \`${name}\``);
  const bytes = await readFile(file);
  return (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
}
