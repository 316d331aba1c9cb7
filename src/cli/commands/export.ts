/**
 * `rok export`: writes a run's evidence, a tenant's chain of receipts, the public keys or the chains' heads to a file
 * for `rok verify` and verify/verify.py. Verifies nothing.
 */
import { writeFile } from 'node:fs/promises';
import { InvalidArgumentError, type Command } from 'commander';
import type { ReceiptChain } from '../../audit/verify/shapes.js';
import { RokError } from '../../domain/errors.js';
import type { Reader } from '../../reader/read.js';
import { foundRun } from '../session/found-run.js';
import { inSession } from '../session/session.js';

type Options = {
  readonly out: string;
  readonly revision?: number;
  readonly chain?: string;
  readonly keys?: boolean;
  readonly heads?: boolean;
};

export function exportCommand(program: Command): void {
  program
    .command('export')
    .argument('[run]', 'a run')
    .description('write a run and its receipt, a chain of receipts, or the public keys to a file')
    .requiredOption('--out <file>', 'where to write it')
    .option('--revision <n>', 'of the run, an earlier receipt than the latest', revision)
    .option('--chain <tenant>', "a tenant's chain of receipts, instead of a run")
    .option('--keys', 'the public keys that ever signed receipts, instead of a run')
    .option('--heads', 'the heads of all chains as they are now, instead of a run')
    .action((run: string | undefined, options: Options, command: Command) =>
      inSession(command, async ({ print, reader }) => {
        const asked = [run !== undefined, options.chain !== undefined, options.keys === true, options.heads === true];
        if (asked.filter(Boolean).length !== 1)
          throw new RokError('usage', 'name one thing to export', 'a run, `--chain <tenant>`, `--keys` or `--heads`');
        const text = await textOf(run, options, await reader());
        await write(options.out, text);
        if (print.json) print.object({ file: options.out, bytes: Buffer.byteLength(text) });
        else print.say(`written to ${options.out}`);
        return 0;
      }),
    );
}

async function write(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new RokError('usage', `\`${file}\` cannot be written (${code ?? message})`, 'name a file that you may write');
  }
}

async function textOf(run: string | undefined, options: Options, source: Reader): Promise<string> {
  const { chain, revision: wanted, heads } = options;
  if (chain !== undefined) return seenChain(chain, await source.chain(chain));
  if (heads === true) return source.heads();
  if (run === undefined) return `${JSON.stringify(await source.keys())}\n`;
  const view = await foundRun(source, run);
  const bundle = await source.bundle(view.run, wanted);
  if (bundle === null)
    throw new RokError(
      'evidence_bad',
      `${view.run} has no such receipt yet`,
      'see that an audit worker runs, with a signing key',
    );
  return bundle;
}

/** One answer for a tenant that nobody has and for one that this login does not see. */
function seenChain(tenant: string, text: string): string {
  const { receipts } = JSON.parse(text) as ReceiptChain;
  if (receipts.length > 0) return text;
  throw new RokError('chain_unknown', `no chain of receipts of \`${tenant}\``, 'see the tenants with `rok run list`');
}

function revision(text: string): number {
  if (!/^[1-9][0-9]{0,8}$/.test(text)) throw new InvalidArgumentError('must be a whole number from 1');
  return Number(text);
}
