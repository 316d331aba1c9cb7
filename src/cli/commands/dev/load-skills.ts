/**
 * Skills of one's own project, for `rok dev`: each `skills/*.mjs` default-exports a function that is given zod and returns a
 * skill, so that the file needs no dependency. Deliberately for development: in production a worker registers its skills.
 */
import { readdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { StartError } from '../../../platform/start-error.js';
import type { Extensions } from '../../../workers/setup.js';

type Skills = NonNullable<Extensions['skills']>;

const skill = z.looseObject({
  name: z.string().regex(/^[a-z][a-z0-9_.-]{0,127}$/),
  version: z.string().min(1),
  description: z.string(),
  input: z.custom((value) => value instanceof z.ZodType, 'must be a zod schema'),
  access: z.enum(['read', 'write']),
  idempotency: z.enum(['natural', 'keyed', 'none']),
  timeoutMs: z.int().min(1),
  maxOutputBytes: z.int().min(1),
  run: z.custom((value) => typeof value === 'function', 'must be a function'),
});

export async function loadSkills(folder: string): Promise<Skills> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.mjs')).sort();
  return Promise.all(names.map((name) => loadSkill(resolve(folder, name))));
}

async function loadSkill(file: string): Promise<Skills[number]> {
  try {
    const { default: make } = (await import(pathToFileURL(file).href)) as {
      readonly default: (given: { z: typeof z }) => unknown;
    };
    const made = make({ z });
    const parsed = skill.safeParse(made);
    if (parsed.success) return made as Skills[number];
    throw new Error(
      parsed.error.issues.map((issue) => `${issue.path.map(String).join('.')}: ${issue.message}`).join('; '),
    );
  } catch (error) {
    throw new StartError({
      code: 'config_invalid',
      message: `the skill \`${file}\` cannot be used (${error instanceof Error ? error.message : String(error)})`,
      hint: 'its default export must be a function ({ z }) that returns a skill; `rok init` writes an example',
      exitCode: 1,
      cause: error,
    });
  }
}
