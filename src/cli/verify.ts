/**
 * `rok verify <run|bundle>`: holds a receipt against the rows it speaks of. Offline for a bundle's file; whom to trust comes
 * from outside, and without it the best answer is "consistent, signer unknown".
 */
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import type { JSONWebKeySet } from 'jose';
import { z } from 'zod';
import { verifyBundle, type Verification } from '../audit/verify.js';
import { RokError } from '../domain/errors.js';
import type { Bundle } from '../platform/read.js';
import { foundRun } from './found-run.js';
import { inSession, type Session } from './session.js';

type Options = { readonly jwks?: string; readonly offline?: boolean };

export function verify(program: Command): void {
  program
    .command('verify')
    .argument('<run|bundle>', 'a run, or the file of an exported bundle')
    .description('verify a receipt and everything it speaks of')
    .option('--jwks <file>', 'the keys that may sign receipts')
    .option('--offline', 'only a file; ask no database')
    .action((what: string, options: Options, command: Command) =>
      inSession(command, async (session) => {
        const bundle = await bundleOf(what, options, session);
        const verification = await verifyBundle(bundle, options.jwks === undefined ? null : await keySet(options.jwks));
        if (session.print.json) session.print.object(verification);
        else session.print.data(sentenceOf(verification));
        return verification.result === 'verified' ? 0 : 6;
      }),
    );
}

function sentenceOf(verification: Verification): string {
  if (verification.result === 'broken') return `broken: ${verification.broken.what}: ${verification.broken.detail}`;
  const { run, status, revision, n } = verification.receipt;
  const about = `receipt ${n} of ${run}, verdict ${status}, revision ${revision}`;
  return verification.result === 'verified'
    ? `verified: ${about}, signed by ${verification.kid}`
    : `consistent, signer unknown: ${about}`;
}

async function bundleOf(what: string, { offline }: Options, { reader }: Session): Promise<Bundle> {
  const text = await readFile(what, 'utf8').catch(() => null);
  if (text !== null) return parseBundle(text, what);
  if (offline === true)
    throw new RokError('usage', `there is no file \`${what}\``, 'name the file of a bundle, or leave `--offline` out');
  const source = await reader();
  const view = await foundRun(source, what);
  const bundle = await source.bundle(view.run);
  if (bundle === null)
    throw new RokError(
      'evidence_bad',
      `${view.run} has no receipt yet`,
      'see that an audit worker runs, with a signing key',
    );
  return bundle;
}

const rows = z.array(z.looseObject({}));
const shape = z.looseObject({
  version: z.literal(1),
  run: z.string(),
  receipt: z.string(),
  contract: z.string().nullable(),
  amendments: rows,
  acks: rows,
  trace: z.array(z.looseObject({ seq: z.int(), at: z.string(), bytes: z.string(), hash: z.string() })),
  decisions: rows,
  attempts: rows,
  results: rows,
});

function parseBundle(text: string, file: string): Bundle {
  try {
    return shape.parse(JSON.parse(text)) as unknown as Bundle;
  } catch (error) {
    throw new RokError(
      'evidence_bad',
      `\`${file}\` is not a bundle of version 1`,
      error instanceof z.ZodError ? error.issues[0]?.message : 'it is not JSON',
    );
  }
}

async function keySet(file: string): Promise<JSONWebKeySet> {
  try {
    const { keys } = JSON.parse(await readFile(file, 'utf8')) as { readonly keys?: unknown };
    if (Array.isArray(keys)) return { keys: keys as JSONWebKeySet['keys'] };
  } catch {
    // Told below, as for a file of another kind.
  }
  throw new RokError('usage', `\`${file}\` is not a key set`, 'name a JWKS file: { "keys": […] }');
}
