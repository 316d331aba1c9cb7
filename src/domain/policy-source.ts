/**
 * A policy set as its author wrote it: files, the author's part of the schema, and tests. Immutable, stored whole,
 * named by its digest. Does not know Cedar: the deciding power says whether a set is valid.
 */
import { z } from 'zod';
import { canonicalJson } from './canonical-json.js';
import { digest, DIGEST_TAGS } from './digest.js';
import type { Digest } from './ids.js';
import type { Json } from './json.js';
import { isStorable } from './text.js';

/** Limits on a set; a publish carries it through Temporal, whose payloads hold 2 MB. */
export const SOURCE_BOUNDS = { files: 64, textChars: 500_000, tests: 500, allChars: 1_000_000 } as const;

const text = z
  .string()
  .max(SOURCE_BOUNDS.textChars)
  .refine(isStorable, 'must not hold NUL or half of a surrogate pair');
const count = z.int().min(0).max(1_000_000_000);
const perSkill = z.record(z.string().max(128), count);
const names = z.array(z.string().max(256)).max(64);

const test = z.strictObject({
  name: z.string().min(1).max(256),
  /** What is asked; what is left out is as at the first step of a run by a local actor. */
  request: z.strictObject({
    kind: z.enum(['run.start', 'model.call', 'skill.call', 'agent.delegate', 'run.outcome', 'run.repair']),
    target: z.string().max(512),
    access: z.enum(['read', 'write']).optional(),
    tenant: z.string().max(128).optional(),
    agent: z.string().max(128).optional(),
    /** The files that the agent uses; all of the set unless given. */
    policies: names.optional(),
    arguments: z.json().optional(),
    step: count.optional(),
    attempt: count.optional(),
    counters: z
      .strictObject({
        steps: count.optional(),
        modelCalls: count.optional(),
        skillCalls: perSkill.optional(),
        succeeded: perSkill.optional(),
        lastSuccess: perSkill.optional(),
        denials: count.optional(),
      })
      .optional(),
    /** Authorities that approved something in this run. */
    approvals: names.optional(),
    spentMicros: count.optional(),
    capMicros: count.optional(),
    profile: z.enum(['STRICT', 'STANDARD', 'OBSERVE_ONLY']).optional(),
    outcome: z.string().max(64).optional(),
    actor: z.strictObject({ name: z.string().max(128), roles: names.optional() }).optional(),
    labels: z.record(z.string().max(64), z.string().max(256)).optional(),
    time: z.iso.datetime({ offset: true }).optional(),
  }),
  expect: z.enum(['allow', 'deny', 'pause']),
  /** Ids of the rules that decide, as `file/id`; not compared unless given. */
  determining: names.optional(),
  /** Ids of the shadow rules that would have blocked; not compared unless given. */
  shadow: names.optional(),
});
export type PolicyTest = z.infer<typeof test>;

const source = z.strictObject({
  files: z
    .record(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/), text)
    .refine((files) => Object.keys(files).length <= SOURCE_BOUNDS.files, `at most ${SOURCE_BOUNDS.files} files`),
  schema: text,
  tests: z.record(z.string().max(128), z.array(test).max(SOURCE_BOUNDS.tests)),
});

export type PolicySource = {
  /** Policy text by file name without ending. */
  readonly files: Readonly<Record<string, string>>;
  /** The author's part of the schema: what skills' arguments and labels look like. */
  readonly schema: string;
  /** Tests by file name without ending. */
  readonly tests: Readonly<Record<string, readonly PolicyTest[]>>;
};
export const NO_EXTRAS: Omit<PolicySource, 'files'> = { schema: '', tests: {} };

export type ParsedSource =
  { readonly ok: true; readonly source: PolicySource } | { readonly ok: false; readonly problems: readonly string[] };

/** Total: any value in, a set's source or every problem out. */
export function parsePolicySource(value: unknown): ParsedSource {
  const parsed = source.safeParse(value);
  if (!parsed.success)
    return {
      ok: false,
      problems: parsed.error.issues.map((issue) => `${issue.path.map(String).join('.') || 'set'}: ${issue.message}`),
    };
  const chars = JSON.stringify(parsed.data).length;
  if (chars > SOURCE_BOUNDS.allChars)
    return { ok: false, problems: [`set: ${chars} characters are more than ${SOURCE_BOUNDS.allChars}`] };
  return { ok: true, source: parsed.data };
}

/** Canonical text of the whole set. */
export const bodyOf = (set: PolicySource): string => canonicalJson(JSON.parse(JSON.stringify(set)) as Json);
export const digestOf = (set: PolicySource): Digest => digest(DIGEST_TAGS.policySet, bodyOf(set));
