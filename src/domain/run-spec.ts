/**
 * What a caller passes to start a run. Parsed in one place, `decide.open`, so that a bad spec becomes a denied run with
 * every problem listed and is not lost. Workflow code imports only its type.
 */
import { z } from 'zod';
import type { ActorClaim } from './actor.js';
import { canonicalJson, CanonicalJsonError } from './canonical-json.js';
import type { Json } from './json.js';
import type { Limits } from './limits.js';
import { PROFILES, type Profile } from './profiles.js';
import { isStorable, storable } from './text.js';

/** Limits on what a spec may carry; each is enforced here and nowhere else. */
export const SPEC_BOUNDS = {
  nameChars: 128,
  inputBytes: 10_000_000,
  labels: 32,
  labelChars: 256,
  limit: 1_000_000_000,
  problems: 100,
  problemChars: 300,
} as const;

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const nameOf = (what: string) =>
  z
    .string({ error: `${what} must be a string` })
    .max(SPEC_BOUNDS.nameChars, `${what} is longer than ${SPEC_BOUNDS.nameChars} characters`)
    .regex(NAME, `${what} must start with a letter or digit and hold only letters, digits, \`.\`, \`_\` and \`-\``);
const textOf = (what: string, maxChars: number) =>
  z.string().max(maxChars).refine(isStorable, `${what} must not hold NUL or half of a surrogate pair`);
const count = (what: string) =>
  z
    .int({ error: `${what} must be a whole number` })
    .min(0, `${what} must not be negative`)
    .max(SPEC_BOUNDS.limit, `${what} is too large`);

/** A parser's copy would lose it without a word. */
const hasProto = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, '__proto__');
const withoutProto = <T extends z.ZodType>(what: string, type: T) =>
  z
    .unknown()
    .refine((value) => !hasProto(value), `${what} must not be named \`__proto__\``)
    .pipe(type);

const limits = z.strictObject({
  usdMicros: z
    .string()
    .regex(/^(0|[1-9][0-9]{0,17})$/, 'limits.usdMicros must be a decimal string of whole micro-USD')
    .optional(),
  tokens: count('limits.tokens').optional(),
  steps: count('limits.steps').optional(),
  modelCalls: count('limits.modelCalls').optional(),
  wallTimeMs: count('limits.wallTimeMs').optional(),
  depth: z.never('limits.depth is not a limit yet: a run starts no other runs').optional(),
  children: z.never('limits.children is not a limit yet: a run starts no other runs').optional(),
  noProgress: z
    .int({ error: 'limits.noProgress must be a whole number' })
    .min(2, 'limits.noProgress must be at least 2')
    .max(100, 'limits.noProgress is too large')
    .optional(),
  skillCalls: withoutProto(
    'a skill',
    z.record(textOf('a skill', SPEC_BOUNDS.nameChars), count('limits.skillCalls')).optional(),
  ).optional(),
});

const actorClaim = z.union(
  [
    z.strictObject({ assertion: textOf('actor.assertion', 8192) }),
    z.strictObject({
      local: textOf('actor.local', SPEC_BOUNDS.nameChars).min(1),
      roles: z.array(textOf('a role', 64)).max(16).optional(),
    }),
  ],
  { error: 'actor must be { assertion } or { local, roles? }' },
);

/** The form that has one text (canonical-json.ts); handed on as it is, because a copy would lose a member `__proto__`. */
const input = z.unknown().superRefine((value, context) => {
  const problem = inputProblem(value);
  if (problem !== null) context.addIssue({ code: 'custom', message: problem });
});

function inputProblem(value: unknown): string | null {
  if (value === undefined) return 'input must be text or JSON, nested at most 64 levels';
  try {
    const bytes = utf8.encode(canonicalJson(value as Json)).length;
    return bytes > SPEC_BOUNDS.inputBytes ? `input is larger than ${SPEC_BOUNDS.inputBytes} bytes` : null;
  } catch (error) {
    if (!(error instanceof CanonicalJsonError)) throw error;
    return `input has no exact form: ${error.message}`;
  }
}
const utf8 = new TextEncoder();

/** PostgreSQL knows these years, and so does every calendar. What is no time at all is said already. */
const isTime = (text: string): boolean => {
  const at = Date.parse(text);
  return Number.isNaN(at) || (at >= Date.UTC(1970, 0) && at < Date.UTC(10_000, 0));
};

const runSpec = z.strictObject(
  {
    tenant: nameOf('tenant'),
    agent: nameOf('agent'),
    input,
    id: nameOf('id').optional(),
    actor: actorClaim,
    limits: limits.optional(),
    deadline: z.iso
      .datetime({ offset: true, error: 'deadline must be an RFC 3339 time' })
      .refine(isTime, 'deadline must be between 1970 and 9999')
      .optional(),
    labels: withoutProto(
      'a label',
      z
        .record(textOf('a label', 64), textOf('a label', SPEC_BOUNDS.labelChars))
        .refine(
          (labels) => Object.keys(labels).length <= SPEC_BOUNDS.labels,
          `labels hold more than ${SPEC_BOUNDS.labels} entries`,
        )
        .optional(),
    ).optional(),
    profile: z.enum(PROFILES, { error: `profile must be one of ${PROFILES.join(', ')}` }).optional(),
  },
  { error: (issue) => (issue.code === 'invalid_type' ? 'the spec must be an object' : undefined) },
);

/** A caller's request for one run. `id` is an idempotency key; `profile` may only be stricter than the one in force. */
export type RunSpec = {
  readonly tenant: string;
  readonly agent: string;
  readonly input: Json;
  readonly id?: string;
  readonly actor: ActorClaim;
  readonly limits?: Partial<Limits>;
  readonly deadline?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly profile?: Profile;
};

export type ParsedSpec =
  { readonly ok: true; readonly spec: RunSpec } | { readonly ok: false; readonly problems: readonly string[] };

/** Total: any value in, a spec or every problem out (`path: what is wrong`). */
export function parseRunSpec(value: unknown): ParsedSpec {
  const parsed = runSpec.safeParse(value);
  if (parsed.success) return { ok: true, spec: parsed.data as RunSpec };
  const problems = parsed.error.issues.flatMap(problemsOf).map((text) => storable(text, SPEC_BOUNDS.problemChars));
  return { ok: false, problems: problems.slice(0, SPEC_BOUNDS.problems) };
}

/** Updates carry a claim of their own, which the spec's parser never saw. */
export const isActorClaim = (value: unknown): value is ActorClaim => actorClaim.safeParse(value).success;

function problemsOf(issue: z.core.$ZodIssue): readonly string[] {
  const path = issue.path.length === 0 ? 'spec' : issue.path.map((part) => String(part)).join('.');
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => `${path}: \`${key.slice(0, 64)}\` is not a field`);
  return [`${path}: ${issue.message}`];
}
