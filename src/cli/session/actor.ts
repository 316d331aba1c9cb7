/**
 * Who acts on the command line: an assertion from outside, one made here with the development issuer's key, or a local actor
 * by name. Deliberately checks no right: the run does.
 */
import { InvalidArgumentError, type Command } from 'commander';
import { decodeJwt } from 'jose';
import type { Acting } from '../../client.js';
import { RokError } from '../../domain/errors.js';
import { loadConfig } from '../../platform/config/config.js';
import { signDevAssertion } from './dev-issuer.js';

export type ActorOptions = {
  readonly as?: string;
  readonly role: readonly string[];
  readonly assertion?: string;
  readonly sign?: boolean;
};

const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];

export const withActor = (command: Command): Command =>
  command
    .option('--as <name>', 'act as this local actor')
    .option('--role <role>', 'a role of that actor, such as approver:finance; may be repeated', collect, [])
    .option('--sign', 'sign an assertion for `--as` with ROK_ASSERTION_KEY (development issuer)')
    .option('--assertion <jws>', 'act by this assertion (also ROK_ASSERTION)');

/** `updateId` is the one that an assertion from outside was made for. */
export type Named = { readonly actor: Acting; readonly updateId?: string };

export function actorOf(options: ActorOptions, env: NodeJS.ProcessEnv, fallback?: string): Named {
  const config = loadConfig(env);
  const assertion = options.assertion ?? (options.as === undefined ? config.assertion : undefined);
  if (assertion !== undefined) {
    const updateId = updateOf(assertion);
    return { actor: { assertion }, ...(updateId === undefined ? {} : { updateId }) };
  }
  const name = options.as ?? fallback;
  if (name === undefined)
    throw new RokError(
      'usage',
      'nobody is named as the actor',
      'add `--as <name> --role <role>`, or `--assertion <jws>`',
    );
  if (options.sign !== true) return { actor: { local: name, roles: options.role } };
  const { assertionKey } = config;
  if (assertionKey === undefined)
    throw new RokError(
      'config_invalid',
      '`--sign` needs a key and `ROK_ASSERTION_KEY` is not set',
      'set it to the file of a private JWK, or leave `--sign` out',
    );
  return {
    actor: async (purpose) => ({
      assertion: await signDevAssertion(assertionKey, { ...purpose, subject: name, roles: options.role }),
    }),
  };
}

/** Read, not verified: the run verifies it, and refuses it for any other message. */
function updateOf(assertion: string): string | undefined {
  try {
    const { update } = decodeJwt<{ readonly update?: unknown }>(assertion);
    return typeof update === 'string' ? update : undefined;
  } catch (error) {
    throw new RokError(
      'assertion_invalid',
      'the assertion is not a compact JWS',
      error instanceof Error ? error.message : undefined,
    );
  }
}

export function wholeNumber(text: string): number {
  if (!/^[1-9][0-9]{0,8}$/.test(text)) throw new InvalidArgumentError('must be a whole number from 1');
  return Number(text);
}
