/**
 * A scenario: a run to start, who answers its holds, and what must and must not be in the tables afterwards. Data, so that
 * nothing here knows what any agent does.
 */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { RokError } from '../../../domain/errors.js';

const actor = z.strictObject({ name: z.string().min(1), roles: z.array(z.string()).default([]) });

const scenario = z.strictObject({
  title: z.string(),
  spec: z.strictObject({
    tenant: z.string(),
    agent: z.string(),
    input: z.string(),
    labels: z.record(z.string(), z.string()).optional(),
  }),
  actor,
  /** By whose authority a hold is answered, and how. A hold that nobody answers waits for its deadline. */
  answers: z
    .array(z.strictObject({ authority: z.string(), actor, answer: z.enum(['approve', 'reject']), reason: z.string() }))
    .default([]),
  /** A query by login `rok_read`; $1 is the run's id. Each row stated is there afterwards, or is not. */
  readBack: z
    .strictObject({
      name: z.string().regex(/^[a-z][a-z_]*$/),
      query: z.string(),
      rows: z.array(z.strictObject({ says: z.string(), row: z.record(z.string(), z.string()), done: z.boolean() })),
    })
    .optional(),
});
export type Scenario = z.infer<typeof scenario>;

/** @throws RokError config_invalid naming the file and what is wrong with it */
export async function readScenario(file: string): Promise<Scenario> {
  const text = await readFile(file, 'utf8').catch(() => {
    throw new RokError('config_invalid', `the scenario \`${file}\` cannot be read`, 'correct the path');
  });
  const parsed = scenario.safeParse(jsonOf(text));
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(
    (issue) => `${issue.path.map(String).join('.') || 'scenario'}: ${issue.message}`,
  );
  throw new RokError('config_invalid', `the scenario \`${file}\` is wrong: ${problems.join('; ')}`, 'correct the file');
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
