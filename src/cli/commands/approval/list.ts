/** `rok approval list`: the open holds, with the arguments of what waits, and who may answer each. */
import type { Command } from 'commander';
import { argumentsLine } from '../../output/hold-lines.js';
import { plain, table } from '../../output/print.js';
import { inSession } from '../../session/session.js';

/** The rest is in `rok run show`. */
const ARGUMENT_CHARS = 120;

type Options = { readonly tenant?: string };

export function approvalList(approval: Command): void {
  approval
    .command('list')
    .description('what waits for an answer')
    .option('--tenant <tenant>', 'of this tenant only')
    .action((options: Options, command: Command) =>
      inSession(command, async ({ print, reader }) => {
        const views = await (await reader()).runs({ ...options, held: true, limit: 1_000 });
        const holds = views.flatMap(({ run, tenant, agent, holds: open }) =>
          open.map((hold) => ({ run, tenant, agent, ...hold })),
        );
        if (print.json) for (const hold of holds) print.object(hold);
        else if (holds.length === 0) print.data('nothing waits');
        else
          print.data(
            table(
              ['run', 'hold', 'reason', 'answered by', 'given', 'until', 'digest', 'what', 'arguments'],
              holds.map((one) => [
                one.run,
                `${one.hold}`,
                one.reason,
                one.authority,
                `${one.given} of ${one.quorum}`,
                one.until.slice(0, 19).concat('Z'),
                one.digest ?? '',
                plain(one.what),
                argumentsLine(one, ARGUMENT_CHARS) ?? '',
              ]),
            ),
          );
        return 0;
      }),
    );
}
