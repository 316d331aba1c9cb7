/**
 * `rok dev`, which is what `npm start` runs: the whole of ROK on this machine, and a scenario played on it where there is
 * one. The work is in dev-session.ts, loaded only here: it brings servers and workers with it.
 */
import type { Command } from 'commander';
import { DATA_FOLDER } from '../../../platform/config/environment.js';
import { Ended } from '../../output/failure.js';
import type { DevOptions } from './dev-options.js';

export function dev(program: Command): void {
  program
    .command('dev')
    .description('PostgreSQL, Temporal with its Web UI, all workers, and a scenario: here and now')
    .option('--once', 'stop after the scenario; its exit code is the exit code')
    .option('--scenario <file>', 'what to play; `examples/refund-desk.json` where that is there')
    .action(async (options: Pick<DevOptions, 'once' | 'scenario'>, command: Command) => {
      const { json, data } = command.optsWithGlobals<{ json?: boolean; data?: string }>();
      const { devSession } = await import('./dev-session.js');
      const code = await devSession({ ...options, json: json ?? false, data: data ?? DATA_FOLDER });
      if (code !== 0) throw new Ended(code);
    });
}
