/** `rok run list`: the newest runs, from PostgreSQL. */
import type { Command } from 'commander';
import { usdText } from '../../../domain/money.js';
import type { RunView } from '../../../reader/read.js';
import { wholeNumber } from '../../session/actor.js';
import { table } from '../../output/print.js';
import { inSession } from '../../session/session.js';

type Options = { readonly tenant?: string; readonly open?: boolean; readonly limit: number };

export function runList(run: Command): void {
  run
    .command('list')
    .description('the newest runs')
    .option('--tenant <tenant>', 'of this tenant only')
    .option('--open', 'only those that have not ended')
    .option('--limit <n>', 'at most so many', wholeNumber, 50)
    .action((options: Options, command: Command) =>
      inSession(command, async ({ print, reader }) => {
        const runs = await (await reader()).runs(options);
        if (print.json) for (const view of runs) print.object(view);
        else print.data(listOf(runs));
        return 0;
      }),
    );
}

function listOf(runs: readonly RunView[]): string {
  if (runs.length === 0) return 'no runs';
  return table(
    ['run', 'tenant', 'agent', 'phase', 'outcome', 'hold', 'verdict', 'usd', 'opened'],
    runs.map((view) => [
      view.run,
      view.tenant,
      view.agent,
      view.phase,
      view.outcome ?? '',
      [...new Set(view.holds.map(({ reason }) => reason))].join(', '),
      view.verdict ?? 'PENDING',
      usdText(BigInt(view.spentMicros)),
      view.openedAt.slice(0, 19).concat('Z'),
    ]),
  );
}
