/**
 * Every environment variable ROK knows and what each must look like. Deliberately without defaults and without reading
 * the environment: config.ts does both. A schema's error text completes the sentence "… is `x`, expected …".
 */
import { z } from 'zod';
import { parseIssuers, type IssuerGroups } from '../../domain/person.js';
import { PROFILES } from '../../domain/profiles.js';
import { isKeyText } from './key-text.js';

export const workerNames = ['control', 'execute', 'audit', 'http'] as const;
export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

export type WorkerName = (typeof workerNames)[number];
export type LogLevel = (typeof logLevels)[number];

export interface Address {
  readonly host: string;
  readonly port: number;
}

function oneOf<const Words extends readonly [string, ...string[]]>(words: Words) {
  return z.enum(words, { error: `one of ${words.join(', ')}` });
}

function isPostgresUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url !== undefined && ['postgres:', 'postgresql:'].includes(url.protocol) && url.hostname !== '';
}

function toAddress(text: string, context: z.RefinementCtx): Address {
  const found = /^(\[[0-9a-f:]+\]|[^:\s]*):(\d{1,5})$/i.exec(text);
  const port = Number(found?.[2]);
  if (!found || port > 65_535) {
    context.addIssue({ code: 'custom', message: 'host:port' });
    return z.NEVER;
  }
  return { host: found[1]?.replace(/^\[|\]$/g, '') || '127.0.0.1', port };
}

function toIssuers(text: string, context: z.RefinementCtx): IssuerGroups {
  const groups = parseIssuers(text);
  if (groups !== null && !isKeyText(text)) return groups;
  context.addIssue({
    code: 'custom',
    message: 'issuers like `https://one;staff=https://two,https://three`, each once',
  });
  return z.NEVER;
}

const databaseUrl = z.string().refine(isPostgresUrl, { error: 'a URL like postgresql://login@host:5432/database' });
const address = z.string().transform(toAddress);
const path = z
  .string()
  .max(4_096, { error: 'a path of at most 4096 characters' })
  .refine((value) => !isKeyText(value), { error: 'a path: it names the file, and holds nothing of what is in it' });
const workers = z
  .string()
  .transform((list) => list.split(',').map((name) => name.trim()))
  .pipe(z.array(oneOf(workerNames), { error: `a list of ${workerNames.join(', ')}` }).min(1))
  .transform((names): readonly WorkerName[] => [...new Set(names)]);

export const variables = {
  GOVERNANCE_PROFILE: oneOf(PROFILES),
  ROK_DATABASE_URL: databaseUrl,
  ROK_DATABASE_URL_DECIDE: databaseUrl,
  ROK_DATABASE_URL_OBSERVE: databaseUrl,
  ROK_DATABASE_URL_EXECUTE: databaseUrl,
  ROK_DATABASE_URL_AUDIT: databaseUrl,
  ROK_DATABASE_URL_READ: databaseUrl,
  ROK_WORKERS: workers,
  ROK_TEMPORAL_CLI: path,
  ROK_CRASH_AT: z.string().regex(/^[a-z][a-z0-9_.-]{0,63}(@[^\s:]{1,500})?(:[1-9][0-9]{0,3})?$/, {
    error: 'the name of a crash point, with `@workflow-id` for that workflow only and `:N` for its Nth time',
  }),
  ROK_PRICES: path,
  ROK_POLICIES: path,
  ROK_AGENTS: path,
  ROK_SIGNING_KEY: path,
  ROK_ASSERTION: z.string().max(8_192, { error: 'an assertion of at most 8192 characters' }),
  ROK_ASSERTION_ISSUER: z.string().transform(toIssuers),
  ROK_ASSERTION_KEY: path,
  ROK_HEADS: path,
  ROK_HTTP_ADDR: address,
  ROK_JWKS: path,
  ROK_METRICS_ADDR: address,
  ROK_LOG_LEVEL: oneOf(logLevels),
} as const;

export type VariableName = keyof typeof variables;

/** Its value never appears in a message: a key, or a URL that may hold a password. */
export function isSecret(name: string): boolean {
  return name.endsWith('_KEY') || name === 'ROK_ASSERTION' || name.startsWith('ROK_DATABASE_URL');
}

/** Whose keys are looked for as `<NAME>_API_KEY` and `<NAME>_BASE_URL`: those that speak the OpenAI protocol. */
export const providerNames = [
  'openai',
  'openrouter',
  'groq',
  'mistral',
  'deepseek',
  'together',
  'xai',
  'ollama',
] as const;

export type ProviderName = (typeof providerNames)[number];
