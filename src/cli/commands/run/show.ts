/** `rok run show`: the present state of one run, with its open holds and the commands that answer them. */
import type { Command } from 'commander';
import { usdText } from '../../../domain/money.js';
import type { OpenHold, RunView } from '../../../reader/read.js';
import { foundRun } from '../../session/found-run.js';
import { plain } from '../../output/print.js';
import { inSession } from '../../session/session.js';

export function runShow(run: Command): void {
  run
    .command('show')
    .argument('<run>', 'run id or workflow id')
    .description('one run as it stands')
    .action((name: string, _options: unknown, command: Command) =>
      inSession(command, async ({ print, reader }) => {
        const view = await foundRun(await reader(), name);
        if (print.json) print.object(view);
        else print.data(sheetOf(view));
        return 0;
      }),
    );
}

function sheetOf(view: RunView): string {
  const lines: (readonly [string, string])[] = [
    ['run', view.run],
    ['workflow', view.workflowId],
    ['tenant', view.tenant],
    ['agent', `${view.agent} (${view.profile}), asked for by ${view.actor}`],
    [
      'phase',
      `${view.phase}${view.outcome === null ? '' : `, outcome ${view.outcome}`}${view.detail === '' ? '' : ` — ${view.detail}`}`,
    ],
    ['opened', view.openedAt],
    ...(view.endedAt === null ? [['deadline', view.runDeadline] as const] : [['ended', view.endedAt] as const]),
    ['finalize due', view.finalizeDue],
    ['steps', `${view.steps}, ${view.attempts} attempts, ${view.traceEvents} trace events`],
    [
      'decisions',
      `${view.decisions.allow} allow, ${view.decisions.deny} deny, ${view.decisions.pause} pause; refused before a decision: ${view.refusedCalls}`,
    ],
    ['spend', `${usdText(BigInt(view.spentMicros))} of ${usdText(BigInt(view.capMicros))} USD`],
    ...view.holds.flatMap((hold) => holdOf(hold, view.run)),
    ['verdict', view.verdict ?? 'PENDING'],
    ...view.findings.map((finding) => ['finding', `${finding.code} ${finding.subject}: ${finding.detail}`] as const),
    ['receipt', view.receipt === null ? 'none yet' : `number ${view.receipt}`],
    ['as of', view.asOf],
  ];
  return lines.map(([name, value]) => `${name.padEnd(12)}  ${plain(value)}`).join('\n');
}

function holdOf(hold: OpenHold, run: string): readonly (readonly [string, string])[] {
  const way =
    hold.reason === 'BUDGET'
      ? `rok budget raise ${run} --scope <scope> --unit <unit> --window <window> --from <cap> --to <cap> --reason <text> --as <name> --role approver:${hold.authority}`
      : hold.digest === null
        ? `rok run resume ${run} ${hold.reason === 'UNKNOWN_RESULT' ? '--was <done|not-done> ' : ''}--as <name> --role operator`
        : `rok approval approve ${run} --digest ${hold.digest} --as <name> --role approver:${hold.authority}`;
  return [
    ['held', `hold ${hold.hold}, ${hold.reason}: ${hold.what}`],
    ['answers', `${hold.authority}, ${hold.given} of ${hold.quorum}, until ${hold.until}`],
    ['to resolve', way],
  ];
}
