/**
 * Loads the public keys of the issuers that sign assertions, and refuses them if the profile does not accept them. Each
 * worker reads its own file once, so the audit has its own copy.
 */
import type { JWTVerifyGetKey } from 'jose';
import type { IssuerGroups } from '../domain/person.js';
import { PROFILE_RULES } from '../domain/profiles.js';
import { loadKeySet } from '../platform/config/files.js';
import { StartError } from '../platform/start-error.js';
import type { WorkerSetup } from './setup.js';

export type IssuersKeys = { readonly keys: JWTVerifyGetKey; readonly issuers: IssuerGroups | null };

/** Null where the deployment has no key set. @throws StartError for a development key in STRICT */
export async function assertionKeysOf({ config }: Pick<WorkerSetup, 'config'>): Promise<IssuersKeys | null> {
  if (config.jwks === undefined) return null;
  const keys = await loadKeySet(config.jwks);
  const development = keys.jwks().keys.find(({ kid }) => kid?.startsWith('development-') === true);
  if (PROFILE_RULES[config.profile].refuseDevelopment && development !== undefined)
    throw refused(
      `profile STRICT refuses \`${development.kid ?? ''}\` in \`ROK_JWKS\`, which is a development key`,
      'name a key set that holds the keys of your issuers alone',
    );
  return { keys, issuers: config.assertionIssuers ?? null };
}

/** An audit that can verify nothing has nothing to say of approvals. @throws StartError where STRICT would have it start so */
export async function auditsKeysOf(setup: Pick<WorkerSetup, 'config'>): Promise<IssuersKeys | null> {
  const keys = await assertionKeysOf(setup);
  if (keys === null && PROFILE_RULES[setup.config.profile].requireAssertion)
    throw refused(
      `profile ${setup.config.profile} needs \`ROK_JWKS\` on the audit worker, to verify assertions again`,
      'give it a copy of the key set of its own',
    );
  return keys;
}

const refused = (message: string, hint: string): StartError =>
  new StartError({ code: 'config_invalid', message, hint, exitCode: 1 });
