/** `rok reconcile --once`: runs one reconciliation on the audit worker now, without waiting for the schedule. */
import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { RokError } from '../../domain/errors.js';
import type { ReconcileAnswer } from '../../domain/protocol/audit.js';
import { toRokError } from '../../platform/temporal/temporal-failure.js';
import { table } from '../output/print.js';
import { duration } from './run/wait.js';
import { inSession } from '../session/session.js';
import { within } from '../../client/with-timeout.js';

type Options = { readonly once?: boolean; readonly timeout: number };

export function reconcile(program: Command): void {
  program
    .command('reconcile')
    .description('judge what is due, nudge what is late, look for strays: now')
    .option('--once', 'one reconciliation; the schedule makes all others')
    .option('--timeout <duration>', 'give up after this long (exit code 8)', duration, 120_000)
    .action((options: Options, command: Command) =>
      inSession(command, async ({ print, client }) => {
        if (options.once !== true)
          throw new RokError(
            'usage',
            '`rok reconcile` does one reconciliation',
            'add `--once`; the schedule `rok-reconcile` makes all others',
          );
        const workflowId = `rok-reconcile/once/${randomUUID()}`;
        const { temporal } = await client();
        const started = await temporal.workflow
          .start('reconcile', {
            taskQueue: 'rok-audit',
            workflowId,
            args: [],
            workflowExecutionTimeout: '5 minutes',
            staticSummary: 'reconcile, asked for by hand',
          })
          .catch((error: unknown) => {
            throw toRokError(error, workflowId);
          });
        const answer = (await within(
          started.result(),
          options.timeout,
          'reconcile',
          'see that an audit worker runs',
        )) as ReconcileAnswer;
        if (print.json) print.object(answer);
        else print.data(table(Object.keys(answer), [Object.values(answer).map(String)]));
        return 0;
      }),
    );
}
