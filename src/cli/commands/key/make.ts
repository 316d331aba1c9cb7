/**
 * `rok key make`: a new Ed25519 pair. The private half goes to a file of its own that only its owner reads, the public
 * half into a key set, beside those that are there. It replaces no key, and prints none.
 */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { InvalidArgumentError, type Command } from 'commander';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose';
import { z } from 'zod';
import { RokError } from '../../../domain/errors.js';
import { inSession } from '../../session/session.js';

type Options = { readonly out: string; readonly jwks: string };

const keySet = z.object({ keys: z.array(z.looseObject({ kty: z.string() })) });
const KID = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;

export function keyMake(key: Command): void {
  key
    .command('make')
    .argument('<kid>', 'name of the key; receipts and assertions carry it, and no other key may ever have it', kid)
    .description('make an Ed25519 key, for receipts or for assertions')
    .requiredOption('--out <file>', 'new file for the private key (JWK), which only its owner may read')
    .requiredOption('--jwks <file>', 'key set to add the public key to; made where it is not there')
    .action((name: string, { out, jwks }: Options, command: Command) =>
      inSession(command, async ({ print }) => {
        const before = await keysOf(jwks);
        if (before.some((one) => one.kid === name))
          throw new RokError('usage', 'the set of `--jwks` has a key of that name', 'give the new key another name');
        const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
        const secret = { ...(await exportJWK(privateKey)), kid: name, alg: 'EdDSA', use: 'sig' };
        const { d: _private, ...open } = secret;
        await written('--out', () => writeFile(out, `${JSON.stringify(secret)}\n`, { flag: 'wx', mode: 0o600 }));
        await written('--jwks', () => replace(jwks, `${JSON.stringify({ keys: [...before, open] }, null, 2)}\n`));
        const thumbprint = await calculateJwkThumbprint(open);
        if (print.json) print.object({ kid: name, thumbprint, out, jwks });
        else print.data(`${name}  ${thumbprint}`);
        print.say(`private key in ${out}, public key in ${jwks}`);
        return 0;
      }),
    );
}

async function keysOf(file: string): Promise<readonly JWK[]> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return [];
    throw new RokError(
      'usage',
      `the file of \`--jwks\` cannot be read (${code})`,
      'name a key set that you may read and write',
    );
  }
  const parsed = keySet.safeParse(jsonOf(text));
  // Whoever named a private key here would publish it with the set.
  if (!parsed.success || parsed.data.keys.some((one) => 'd' in one || 'k' in one))
    throw new RokError(
      'usage',
      'the file of `--jwks` is not a set of public keys',
      'name a JWKS file: { "keys": […] }',
    );
  return parsed.data.keys;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Under its name only when it is all there: workers may be reading it. */
async function replace(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text, { mode: 0o644 });
  await rename(`${file}.new`, file);
}

async function written(option: '--out' | '--jwks', write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    throw new RokError(
      'usage',
      code === 'EEXIST'
        ? `the file of \`${option}\` is there`
        : `the file of \`${option}\` cannot be written (${code})`,
      'name a new file in a folder that you may write to',
    );
  }
}

function kid(text: string): string {
  if (!KID.test(text)) throw new InvalidArgumentError('must be letters, digits, `.`, `_`, `:` or `-`');
  return text;
}
