/** What `rok doctor` looks at, one check after the other; a check that fails stops none of the others. */
import { ERRORS, RokError } from '../../../domain/errors.js';
import { loadConfig, type Config } from '../../../platform/config/config.js';
import { agentsFolder, loadKeySet, loadPrivateKey, policiesFolder } from '../../../platform/config/files.js';
import { checkLogins } from '../../../platform/postgres/login-check.js';
import { createLogger } from '../../../platform/logging.js';
import { missingSearchAttributes, whatToDo } from '../../../platform/temporal/search-attributes.js';
import { StartError } from '../../../platform/start-error.js';
import { connectTemporal, temporalSettings } from '../../../platform/temporal/temporal.js';
import { loadDecideDeps } from '../../../workers/decide-deps.js';

export type Finding = {
  readonly state: 'ok' | 'warning' | 'failed';
  readonly check: string;
  readonly found: string;
  readonly hint: string;
};

const OLDEST_NODE = [20, 19] as const;

export async function examine(env: NodeJS.ProcessEnv): Promise<readonly Finding[]> {
  const config = loadConfig(env);
  const parts = await Promise.all([
    Promise.resolve([node(), profile(config)]),
    guarded('temporal', () => temporal(env)),
    postgres(config),
    guarded('signing key', () => signingKey(config)),
    guarded('assertion keys', () => assertionKeys(config)),
    guarded('policies', () => deployment(config, env)),
  ]);
  return parts.flat();
}

const fine = (check: string, found: string): Finding => ({ state: 'ok', check, found, hint: '' });
const warning = (check: string, found: string, hint: string): Finding => ({ state: 'warning', check, found, hint });
const failed = (check: string, found: string, hint: string): Finding => ({ state: 'failed', check, found, hint });

async function guarded(check: string, work: () => Promise<readonly Finding[]>): Promise<readonly Finding[]> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof StartError) return [failed(check, error.message, error.hint)];
    if (error instanceof RokError) return [failed(check, error.message, error.hint ?? ERRORS[error.code].says)];
    return [failed(check, error instanceof Error ? error.message : String(error), 'see the message')];
  }
}

function node(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const enough = major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1]);
  return enough
    ? fine('node', process.version)
    : failed('node', process.version, `install Node ${OLDEST_NODE.join('.')} or later`);
}

const profile = ({ profile: name, profileGiven }: Config): Finding =>
  fine('profile', profileGiven ? name : `${name}, because GOVERNANCE_PROFILE is not set`);

async function temporal(env: NodeJS.ProcessEnv): Promise<readonly Finding[]> {
  const temporalClient = await connectTemporal(temporalSettings(env));
  const { connection, settings } = temporalClient;
  try {
    const reached = fine('temporal', `${settings.address}, namespace ${settings.namespace}`);
    const missing = await missingSearchAttributes(connection, settings.namespace);
    const attributes =
      missing.length === 0
        ? fine('search attributes', 'all registered')
        : failed('search attributes', `not registered: ${missing.join(', ')}`, whatToDo(missing, settings.namespace));
    return [reached, attributes];
  } finally {
    await temporalClient.close();
  }
}

async function postgres(config: Config): Promise<readonly Finding[]> {
  const checks = await checkLogins(config);
  return checks.map(({ login, ok, warn, detail, hint }) =>
    (ok ? (warn ? warning : (check: string, found: string) => fine(check, found)) : failed)(
      `login rok_${login}`,
      detail,
      hint,
    ),
  );
}

async function signingKey({ signingKey: file }: Config): Promise<readonly Finding[]> {
  if (file === undefined)
    return [warning('signing key', 'ROK_SIGNING_KEY is not set', 'the audit worker needs it to sign receipts')];
  return [fine('signing key', `kid ${(await loadPrivateKey(file, 'ROK_SIGNING_KEY')).kid}`)];
}

async function assertionKeys({ jwks, assertionKey }: Config): Promise<readonly Finding[]> {
  const set =
    jwks === undefined
      ? warning(
          'assertion keys',
          'ROK_JWKS is not set: no assertion is accepted, and the audit cannot check those that were',
          'set it to the key set of your issuer',
        )
      : (await loadKeySet(jwks), fine('assertion keys', jwks));
  if (assertionKey === undefined) return [set];
  return [set, fine('assertion issuer', `kid ${(await loadPrivateKey(assertionKey, 'ROK_ASSERTION_KEY')).kid}`)];
}

async function deployment(config: Config, env: NodeJS.ProcessEnv): Promise<readonly Finding[]> {
  const log = createLogger({ level: 'silent' });
  const { deployed, agents, prices } = await loadDecideDeps({ config, temporal: temporalSettings(env), log });
  return [
    fine('agents', `${[...agents.keys()].join(', ') || 'none'} in ${agentsFolder(config)}`),
    deployed.policies.files.length === 0
      ? warning('policies', `none in ${policiesFolder(config)}`, 'write a policy set, such as `rok init` writes')
      : fine('policies', `${deployed.policies.files.join(', ')}; set ${deployed.policies.digest.slice(0, 16)}…`),
    fine('prices', `table ${prices.digest.slice(0, 16)}…`),
  ];
}
