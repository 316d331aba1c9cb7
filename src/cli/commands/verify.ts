/**
 * `rok verify <run|file>`: holds a receipt, or a chain of them, against what it speaks of; of a run, against the live rows, and
 * with `--rejudge` against what these come to. Offline for a file; whom to trust comes from outside, and without it the best
 * answer is "consistent, signer unknown".
 */
import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { verifyFile } from '../../audit/verify/verify.js';
import { sentenceOf } from '../../audit/verify/words.js';
import type { OutsideHead } from '../../audit/verify/chain.js';
import { RokError } from '../../domain/errors.js';
import type { RunId } from '../../domain/ids.js';
import type { Reader } from '../../reader/read.js';
import { foundRun } from '../session/found-run.js';
import { inSession, type Session } from '../session/session.js';
import { headsOf, trustOf, type TrustOptions } from '../session/trust-options.js';

type Options = TrustOptions & { readonly heads?: string; readonly offline?: boolean; readonly rejudge?: boolean };
type Answer = Awaited<ReturnType<typeof verifyFile>>;

export function verify(program: Command): void {
  program
    .command('verify')
    .argument('[run|file]', 'a run, or an exported file; with `--heads` alone, the chains that the heads name')
    .description('verify a receipt and everything it speaks of')
    .option('--jwks <file>', 'the keys that may sign receipts')
    .option('--key <thumbprint>', 'the one key that may have signed; it is taken from the file')
    .option('--heads <file>', 'heads of the chains that were kept outside the database')
    .option('--offline', 'only a file; ask no database')
    .option('--rejudge', 'of a run: judge its rows again and compare with what was signed')
    .action((what: string | undefined, options: Options, command: Command) =>
      inSession(command, async (session) => {
        const heads = await headsOf(options.heads);
        const answers = await verifyAll(what, options, heads, session);
        for (const answer of answers)
          if (session.print.json) session.print.object(answer);
          else session.print.data(sentenceOf(answer));
        return answers.every((answer) => answer.result === 'verified') ? 0 : 6;
      }),
    );
}

async function verifyAll(
  what: string | undefined,
  options: Options,
  heads: readonly OutsideHead[],
  { reader }: Session,
): Promise<readonly Answer[]> {
  const trust = await trustOf(options);
  if (what === undefined) {
    if (options.offline === true || heads.length === 0)
      throw new RokError('usage', 'nothing was named', 'name a run or a file, or `--heads <file>` for whole chains');
    const source = await reader();
    const chains = [...new Set(heads.map((head) => head.chain))].sort();
    return Promise.all(chains.map(async (chain) => verifyFile(await source.chain(chain), trust, { heads })));
  }
  const file = await readFile(what).catch(() => null);
  if (file === null && options.offline === true)
    throw new RokError('usage', `there is no file \`${what}\``, 'name an exported file, or leave `--offline` out');
  if (file !== null && options.rejudge === true)
    throw new RokError('usage', 'a file cannot be judged again', 'name a run: its rows are in the database');
  const how = { heads, sha256: (bytes: Uint8Array) => hash('sha256', bytes, 'hex') };
  if (file !== null) return [await verifyFile(file, trust, how)];
  const source = await reader();
  const view = await foundRun(source, what);
  const bundle = await bundleOf(view.run, source);
  const answer = await verifyFile(bundle, trust, how);
  if (answer.result === 'broken') return [answer];
  const broken =
    (await source.live(view.run)) ?? (options.rejudge === true ? await source.rejudged(view.run, bundle) : null);
  return [broken === null ? answer : { result: 'broken', broken }];
}

async function bundleOf(run: RunId, source: Reader): Promise<string> {
  const bundle = await source.bundle(run);
  if (bundle === null)
    throw new RokError(
      'evidence_bad',
      `${run} has no receipt yet`,
      'see that an audit worker runs, with a signing key',
    );
  return bundle;
}
