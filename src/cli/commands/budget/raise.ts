/**
 * `rok budget raise`: sets a higher cap on a budget that a run takes from, as an approved act of that run. The new cap
 * is absolute and names the cap that it replaces: if another raise came first, this one is refused and told the present
 * cap. The run decides whether the actor may.
 */
import { Option, type Command } from 'commander';
import { RokError } from '../../../domain/errors.js';
import { uuidOf } from '../../../domain/ids.js';
import { microsFromUsd } from '../../../domain/money.js';
import {
  BUDGET_SCOPES,
  BUDGET_UNITS,
  BUDGET_WINDOWS,
  parseRaise,
  raiseDigest,
  type BudgetRaise,
} from '../../../domain/protocol/raise.js';
import type { RunView } from '../../../reader/read.js';
import { actorOf, withActor, type ActorOptions } from '../../session/actor.js';
import { foundRun } from '../../session/found-run.js';
import { plain } from '../../output/print.js';
import { inSession } from '../../session/session.js';

/** `usd` is the same budget as `usd_micros`, with amounts such as 0.50. */
const UNITS = ['usd', ...BUDGET_UNITS] as const;
type Options = ActorOptions & {
  readonly scope: BudgetRaise['scope'];
  readonly subject?: string;
  readonly unit: (typeof UNITS)[number];
  readonly window: BudgetRaise['window'];
  readonly from: string;
  readonly to: string;
  readonly reason: string;
  readonly purpose?: boolean;
};

export function budgetRaise(budget: Command): void {
  const command = budget
    .command('raise')
    .argument('<run>', 'run id or workflow id: a run that falls under the budget')
    .description('another cap for a budget; a run that waits for it goes on')
    .addOption(new Option('--scope <scope>', 'whose budget').choices(BUDGET_SCOPES).makeOptionMandatory())
    .option('--subject <subject>', "as `rok budget show` shows it; the run's own unless given; of a label needed")
    .addOption(new Option('--unit <unit>', 'of the budget').choices(UNITS).makeOptionMandatory())
    .addOption(new Option('--window <window>', 'of the budget').choices(BUDGET_WINDOWS).makeOptionMandatory())
    .requiredOption('--from <cap>', 'the cap as you know it; refused where it is another by now')
    .requiredOption('--to <cap>', 'the cap as it shall be')
    .requiredOption('--reason <text>', 'why; kept with the act')
    .option('--purpose', 'print what an assertion for this must be for, and do nothing');
  withActor(command).action((name: string, options: Options, self: Command) =>
    inSession(self, async ({ env, print, reader, client }) => {
      const view = await foundRun(await reader(), name);
      const raise = raiseOf(options, view);
      const about = { run: view.run, ...raise };
      if (options.purpose === true) {
        print.object({ audience: view.workflowId, verb: 'raise_budget', action: raiseDigest(raise) });
        return 0;
      }
      const handle = await (await client()).get(view.workflowId);
      const { actor, holds } = await handle.raiseBudget({ ...actorOf(options, env), ...raise });
      if (print.json) print.object({ ...about, actor, holds });
      else
        print.data(
          plain(
            `raised by ${actor}: ${raise.scope} ${raise.unit} to ${raise.to}${holds.map((hold) => `, hold ${hold} raised`).join('')}`,
          ),
        );
      return 0;
    }),
  );
}

/** @throws RokError usage for what is none */
function raiseOf(options: Options, view: RunView): BudgetRaise {
  const { scope, unit, window, reason } = options;
  const parsed = parseRaise({
    scope,
    subject: options.subject ?? subjectOf(scope, view),
    unit: unit === 'usd' ? 'usd_micros' : unit,
    window,
    from: unit === 'usd' ? fromUsd(options.from) : options.from,
    to: unit === 'usd' ? fromUsd(options.to) : options.to,
    reason,
  });
  if (parsed.ok) return parsed.raise;
  throw new RokError('usage', parsed.problem, 'see the budgets of the run and their caps with `rok budget show <run>`');
}

function subjectOf(scope: BudgetRaise['scope'], { run, tenant, agent }: RunView): string {
  switch (scope) {
    case 'all':
      return '';
    case 'tenant':
      return tenant;
    case 'agent':
      return `${tenant}/${agent}`;
    case 'run':
      return uuidOf(run);
    case 'label':
      throw new RokError('usage', 'a run may have many labels', 'add `--subject <tenant>/<label>=<value>`');
  }
}

function fromUsd(text: string): string {
  try {
    return microsFromUsd(text).toString();
  } catch (error) {
    throw new RokError('usage', error instanceof Error ? error.message : 'no amount', 'write it as in 12.50');
  }
}
