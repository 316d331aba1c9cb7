/** An agent file (`agents/<name>.yaml`), validated with every problem listed; its digest is recorded with each run. */
import { z } from 'zod';
import { digestJson, DIGEST_TAGS } from './digest.js';
import type { Digest } from './ids.js';
import { DEFAULT_LIMITS, type Limits } from './limits.js';
import { isStorable } from './text.js';
import { microsFromUsd } from './money.js';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const DURATION = /^([1-9][0-9]{0,6})(ms|s|m|h|d)$/;
const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const duration = z
  .string()
  .regex(DURATION, 'must be a duration such as 10m or 1h')
  .transform((text) => durationMs(text));
const count = z.int().min(0).max(1_000_000_000);

/** `"10m"` → 600000. @throws RangeError when it is not a duration */
export function durationMs(text: string): number {
  const match = DURATION.exec(text);
  if (match === null) throw new RangeError(`\`${text.slice(0, 40)}\` is not a duration such as 10m or 1h`);
  return Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS];
}

/** A limit that nothing keeps must not look like one that is kept. */
const NO_CHILDREN = 'is not a limit yet: a run starts no other runs';

const agentFile = z.strictObject({
  name: z.string().regex(NAME, 'must be a name of letters, digits, `.`, `_` and `-`'),
  model: z.string().regex(/^[a-z0-9-]+\/.+$/, 'must be provider/model, such as openai/gpt-5-mini'),
  downgrade: z.string().optional(),
  instructions: z.string().max(200_000).refine(isStorable, 'must not hold NUL or half of a surrogate pair'),
  maxOutputTokens: count.min(1).optional(),
  skills: z.array(z.string().max(128)).max(64).default([]),
  limits: z
    .strictObject({
      usd: z
        .string()
        .regex(/^(0|[1-9][0-9]{0,11})(\.[0-9]{1,6})?$/, 'must be a decimal string of USD such as "0.50"')
        .optional(),
      tokens: count.optional(),
      steps: count.optional(),
      modelCalls: count.optional(),
      wallTime: duration.optional(),
      depth: z.never(NO_CHILDREN).optional(),
      children: z.never(NO_CHILDREN).optional(),
      noProgress: z.int().min(2).max(100).optional(),
      skillCalls: z.record(z.string(), count).optional(),
    })
    .default({}),
  policies: z.array(z.string().max(128)).max(32).default(['default']),
  labels: z.record(z.string().max(64), z.string().max(256)).default({}),
});

export type Agent = {
  readonly name: string;
  readonly model: string;
  readonly downgrade?: string;
  readonly instructions: string;
  /** Output limit a model call asks for; the grant may be lower. */
  readonly maxOutputTokens: number;
  readonly skills: readonly string[];
  readonly limits: Limits;
  readonly policies: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly digest: Digest;
};

export type ParsedAgent =
  { readonly ok: true; readonly agent: Agent } | { readonly ok: false; readonly problems: readonly string[] };

/** Total: any value (from YAML) in, an agent or every problem out. */
export function parseAgent(value: unknown): ParsedAgent {
  const parsed = agentFile.safeParse(value);
  if (!parsed.success)
    return {
      ok: false,
      problems: parsed.error.issues.map((issue) => `${issue.path.map(String).join('.') || 'agent'}: ${issue.message}`),
    };
  const { limits, downgrade, maxOutputTokens, ...rest } = parsed.data;
  const agent = {
    ...rest,
    ...(downgrade === undefined ? {} : { downgrade }),
    maxOutputTokens: maxOutputTokens ?? 4096,
    limits: {
      ...DEFAULT_LIMITS,
      ...(limits.usd === undefined ? {} : { usdMicros: microsFromUsd(limits.usd).toString() }),
      ...(limits.wallTime === undefined ? {} : { wallTimeMs: limits.wallTime }),
      tokens: limits.tokens ?? DEFAULT_LIMITS.tokens,
      steps: limits.steps ?? DEFAULT_LIMITS.steps,
      modelCalls: limits.modelCalls ?? DEFAULT_LIMITS.modelCalls,
      noProgress: limits.noProgress ?? DEFAULT_LIMITS.noProgress,
      skillCalls: limits.skillCalls ?? {},
    },
  };
  return { ok: true, agent: { ...agent, digest: digestJson(DIGEST_TAGS.agent, agent) } };
}
