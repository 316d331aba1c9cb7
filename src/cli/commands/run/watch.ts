/** `rok run watch`: prints the events of a run until it ends. */
import { InvalidArgumentError, type Command } from 'commander';
import { foundRun } from '../../session/found-run.js';
import { inSession } from '../../session/session.js';
import { watchRun } from '../../session/watch-until-end.js';

type Options = { readonly after: number };

export function runWatch(run: Command): void {
  run
    .command('watch')
    .argument('<run>', 'run id or workflow id')
    .description('what happens to a run, until its end')
    .option('--after <n>', 'trace events up to number n are known', eventNumber, 0)
    .action((name: string, options: Options, command: Command) =>
      inSession(command, async (session) => {
        await foundRun(await session.reader(), name);
        return watchRun(session, { name, after: options.after });
      }),
    );
}

function eventNumber(text: string): number {
  if (!/^[0-9]{1,9}$/.test(text)) throw new InvalidArgumentError('must be a whole number');
  return Number(text);
}
