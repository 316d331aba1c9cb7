/**
 * Parses the environment, once; nothing else reads it. Opens no files and no connections: whoever opens a path, a key
 * or a server finds out whether it is good.
 */
import { z } from 'zod';
import type { IssuerGroups } from '../../domain/person.js';
import type { Profile } from '../../domain/profiles.js';
import { logins, roleOf, type Login } from '../postgres/login.js';
import { didYouMean } from './did-you-mean.js';
import { isKeyText } from './key-text.js';
import { StartError } from '../start-error.js';
import { isSecret, providerNames, variables, workerNames } from './variables.js';
import type { Address, LogLevel, ProviderName, VariableName, WorkerName } from './variables.js';

export interface ProviderSettings {
  readonly apiKey?: string;
  readonly baseUrl?: string;
}

export interface Config {
  readonly profile: Profile;
  /** False when nobody set it and STRICT was assumed. */
  readonly profileGiven: boolean;
  readonly databaseUrl?: string;
  readonly databaseUrls: Readonly<Partial<Record<Login, string>>>;
  readonly workers: readonly WorkerName[];
  readonly temporalCli?: string;
  readonly crashAt?: string;
  readonly prices?: string;
  readonly policies?: string;
  readonly agents?: string;
  readonly signingKey?: string;
  /** Where the heads of the receipt chains are kept outside the database. */
  readonly heads?: string;
  readonly assertion?: string;
  readonly assertionKey?: string;
  /** Whose assertions count, each with the group in which it counts as one. */
  readonly assertionIssuers?: IssuerGroups;
  readonly httpAddress?: Address;
  readonly jwks?: string;
  readonly metricsAddress?: Address;
  readonly logLevel: LogLevel;
  readonly providers: Readonly<Partial<Record<ProviderName, ProviderSettings>>>;
}

export type ConfigResult =
  { readonly ok: true; readonly value: Config } | { readonly ok: false; readonly error: StartError };

const known = Object.keys(variables) as readonly VariableName[];
const schema = z.object(variables).partial();
type Values = z.infer<typeof schema>;

export function parseConfig(env: NodeJS.ProcessEnv): ConfigResult {
  // An empty variable is how shells and compose files say "not set".
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const unknown = Object.keys(given).filter((name) => name.startsWith('ROK_') && !(name in variables));
  const parsed = schema.safeParse(given);
  const problems = [...unknown.map(unknownVariable), ...(parsed.success ? [] : wrongValues(parsed.error, given))];
  if (!parsed.success || problems.length > 0) return { ok: false, error: configError(problems) };
  return { ok: true, value: toConfig(parsed.data, given) };
}

/** For a process's first lines: the configuration, or the error that ends it. */
export function loadConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const result = parseConfig(env);
  if (!result.ok) throw result.error;
  return result.value;
}

/** The URL that a login should use. `ROK_DATABASE_URL` serves those that have none of their own. */
export function databaseUrlOf(config: Config, login: Login): string {
  const url = config.databaseUrls[login] ?? config.databaseUrl;
  if (url !== undefined) return url;
  const name = `ROK_DATABASE_URL_${login.toUpperCase()}`;
  throw new StartError({
    code: 'config_invalid',
    message: `no database is named for login \`${roleOf(login)}\``,
    hint: `set \`${name}\` or \`ROK_DATABASE_URL\`, or use \`npm start\`, which brings a database`,
    exitCode: 1,
  });
}

function unknownVariable(name: string): string {
  const meant = didYouMean(name, known);
  return `unknown variable \`${name}\`${meant === undefined ? '' : `, did you mean \`${meant}\``}`;
}

function wrongValues(error: z.ZodError, given: NodeJS.ProcessEnv): readonly string[] {
  const names = [...new Set(error.issues.map((issue) => String(issue.path[0])))];
  return names.map((name) => {
    const expected = error.issues.find((issue) => issue.path[0] === name)?.message ?? 'something else';
    const value = given[name] ?? '';
    if (isSecret(name) || isKeyText(value)) return `\`${name}\` is not ${expected}`;
    const words = /^(?:one|a list) of (.*)$/.exec(expected)?.[1]?.split(', ') ?? [];
    const meant = didYouMean(value, words);
    return `\`${name}\` is \`${value}\`, expected ${expected}${meant === undefined ? '' : `, did you mean \`${meant}\``}`;
  });
}

function configError(problems: readonly string[]): StartError {
  return new StartError({
    code: 'config_invalid',
    message: problems.join('; '),
    hint: `correct or unset it; ROK knows ${known.join(', ')}`,
    exitCode: 1,
  });
}

function toConfig(values: Values, given: NodeJS.ProcessEnv): Config {
  return withoutUndefined({
    profile: values.GOVERNANCE_PROFILE ?? 'STRICT',
    profileGiven: values.GOVERNANCE_PROFILE !== undefined,
    databaseUrl: values.ROK_DATABASE_URL,
    databaseUrls: databaseUrls(values),
    workers: values.ROK_WORKERS ?? workerNames.filter((name) => name !== 'http'),
    temporalCli: values.ROK_TEMPORAL_CLI,
    crashAt: values.ROK_CRASH_AT,
    prices: values.ROK_PRICES,
    policies: values.ROK_POLICIES,
    agents: values.ROK_AGENTS,
    signingKey: values.ROK_SIGNING_KEY,
    heads: values.ROK_HEADS,
    assertion: values.ROK_ASSERTION,
    assertionKey: values.ROK_ASSERTION_KEY,
    assertionIssuers: values.ROK_ASSERTION_ISSUER,
    httpAddress: values.ROK_HTTP_ADDR,
    jwks: values.ROK_JWKS,
    metricsAddress: values.ROK_METRICS_ADDR,
    logLevel: values.ROK_LOG_LEVEL ?? 'info',
    providers: providers(given),
  });
}

function databaseUrls(values: Values): Config['databaseUrls'] {
  const upper = <L extends Login>(login: L) => login.toUpperCase() as Uppercase<L>;
  return Object.fromEntries(
    logins.flatMap((login) => {
      const url = values[`ROK_DATABASE_URL_${upper(login)}`];
      return url === undefined ? [] : [[login, url]];
    }),
  );
}

function providers(given: NodeJS.ProcessEnv): Config['providers'] {
  return Object.fromEntries(
    providerNames.flatMap((name) => {
      const apiKey = given[`${name.toUpperCase()}_API_KEY`];
      const baseUrl = given[`${name.toUpperCase()}_BASE_URL`];
      return apiKey === undefined && baseUrl === undefined ? [] : [[name, withoutUndefined({ apiKey, baseUrl })]];
    }),
  );
}

type Optional<T> = { [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined> } & {
  [K in keyof T as undefined extends T[K] ? never : K]: T[K];
};

function withoutUndefined<T extends object>(object: T): Optional<T> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Optional<T>;
}
