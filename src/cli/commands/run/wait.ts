/** `rok run wait`: returns when a run has ended, however it ends; the exit code says how. */
import { InvalidArgumentError, type Command } from 'commander';
import { durationMs } from '../../../domain/agent.js';
import { foundRun } from '../../session/found-run.js';
import { inSession } from '../../session/session.js';
import { watchRun } from '../../session/watch-until-end.js';

type Options = { readonly timeout?: number };

export function runWait(run: Command): void {
  run
    .command('wait')
    .argument('<run>', 'run id or workflow id')
    .description('wait for the end of a run; the exit code says how it ended')
    .option('--timeout <duration>', 'give up after this long, such as 10m; the exit code is then 8', duration)
    .action((name: string, options: Options, command: Command) =>
      inSession(command, async (session) => {
        await foundRun(await session.reader(), name);
        return watchRun(session, {
          name,
          quiet: true,
          ...(options.timeout === undefined ? {} : { timeoutMs: options.timeout }),
        });
      }),
    );
}

export function duration(text: string): number {
  try {
    return durationMs(text);
  } catch {
    throw new InvalidArgumentError('must be a duration such as 30s, 10m or 1h');
  }
}
