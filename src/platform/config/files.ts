/**
 * Reads the deployment's files once, at the start: agents, policies, prices, key sets. It reports every problem of
 * every file before anything runs. Files are not watched: a change takes a new start, except policies, which can be
 * published to the database.
 */
import { readdir, readFile } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createLocalJWKSet, type JSONWebKeySet, type JWK } from 'jose';
import { parse as parseYaml } from 'yaml';
import { parseAgent, type Agent } from '../../domain/agent.js';
import { parsePolicySource, type PolicySource } from '../../domain/policy-source.js';
import type { Config } from './config.js';
import { StartError } from '../start-error.js';
import { isKeyText } from './key-text.js';

const wrong = (message: string, hint: string, cause?: unknown): StartError =>
  new StartError({ code: 'config_invalid', message, hint, exitCode: 1, ...(cause === undefined ? {} : { cause }) });

async function filesOf(folder: string, endings: readonly string[]): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).filter((name) => endings.includes(extname(name))).sort();
  } catch (error) {
    throw wrong(
      `the folder \`${folder}\` cannot be read`,
      'create it with `rok init`, or set `ROK_AGENTS` and `ROK_POLICIES`',
      error,
    );
  }
}

/** Every agent of the folder, by name. @throws StartError listing every problem of every file */
export async function loadAgents(folder: string): Promise<ReadonlyMap<string, Agent>> {
  const agents = new Map<string, Agent>();
  const problems: string[] = [];
  for (const name of await filesOf(folder, ['.yaml', '.yml'])) {
    try {
      const parsed = parseAgent(parseYaml(await readFile(join(folder, name), 'utf8')) as unknown);
      if (!parsed.ok) problems.push(...parsed.problems.map((problem) => `${name}: ${problem}`));
      else if (agents.has(parsed.agent.name)) problems.push(`${name}: agent \`${parsed.agent.name}\` is there twice`);
      else agents.set(parsed.agent.name, parsed.agent);
    } catch (error) {
      problems.push(`${name}: ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : 'not YAML'}`);
    }
  }
  if (problems.length > 0)
    throw wrong(`agents in \`${folder}\` are wrong: ${problems.join('; ')}`, 'correct the files named');
  return agents;
}

/** A policy set: `*.cedar`, the author's part of the schema in `*.cedarschema`, tests in `*.test.yaml`. */
export async function loadPolicySource(folder: string): Promise<PolicySource> {
  const texts = async (ending: string): Promise<Readonly<Record<string, string>>> => {
    const names = (await filesOf(folder, [extname(`name${ending}`)])).filter((name) => name.endsWith(ending));
    return Object.fromEntries(
      await Promise.all(
        names.map(async (name) => [basename(name, ending), await readFile(join(folder, name), 'utf8')] as const),
      ),
    );
  };
  const [files, schemas, tests] = await Promise.all([texts('.cedar'), texts('.cedarschema'), texts('.test.yaml')]);
  const parsed = parsePolicySource({
    files,
    schema: Object.values(schemas).join('\n'),
    tests: Object.fromEntries(Object.entries(tests).map(([name, text]) => [name, yamlOf(`${name}.test.yaml`, text)])),
  });
  if (!parsed.ok)
    throw wrong(`policies in \`${folder}\` are wrong: ${parsed.problems.join('; ')}`, 'correct the files named');
  return parsed.source;
}

function yamlOf(name: string, text: string): unknown {
  try {
    return parseYaml(text) as unknown;
  } catch (error) {
    throw wrong(`\`${name}\` is not YAML`, 'correct the file', error);
  }
}

/** A price table in LiteLLM's format, as JSON.parse gives it. */
export async function loadPriceRows(file: string): Promise<Readonly<Record<string, unknown>>> {
  const rows = await readJson(file, 'ROK_PRICES');
  if (typeof rows !== 'object' || rows === null || Array.isArray(rows))
    throw wrong('the price table of `ROK_PRICES` is not an object', 'use the format of LiteLLM');
  return rows as Readonly<Record<string, unknown>>;
}

/** Keys that verify assertions. */
export async function loadKeySet(file: string): Promise<ReturnType<typeof createLocalJWKSet>> {
  return createLocalJWKSet((await readJson(file, 'ROK_JWKS')) as JSONWebKeySet);
}

/** A private key with its `kid`. @param variable names the file */
export async function loadPrivateKey(file: string, variable: KeyVariable): Promise<JWK & { readonly kid: string }> {
  const key = (await readJson(file, variable)) as JWK;
  if (typeof key.kid !== 'string' || typeof key.d !== 'string')
    throw wrong(`the file of \`${variable}\` is not a private JWK with a \`kid\``, 'make one with `rok key make`');
  return { ...key, kid: key.kid };
}

export type KeyVariable = 'ROK_SIGNING_KEY' | 'ROK_ASSERTION_KEY';

/**
 * Errors name the variable, never what it holds: that may be the key itself, put where its file belongs. For the same reason
 * they have no cause, because a parser's error quotes the file and a file system's the path.
 */
async function readJson(file: string, variable: KeyVariable | 'ROK_PRICES' | 'ROK_JWKS'): Promise<unknown> {
  if (isKeyText(file))
    throw wrong(`\`${variable}\` holds a text where a file belongs`, 'write it to a file, and name that');
  try {
    return JSON.parse(await readFile(file, 'utf8')) as unknown;
  } catch {
    throw wrong(`the file of \`${variable}\` cannot be read`, 'see that the file is there and is JSON');
  }
}

/** Where the deployment's files are, unless the environment says otherwise: beside the working directory. */
export const agentsFolder = (config: Config): string => config.agents ?? 'agents';
export const policiesFolder = (config: Config): string => config.policies ?? 'policies';
export const pricesFile = (config: Config): string =>
  config.prices ?? fileURLToPath(new URL('../../../prices/default.json', import.meta.url));
