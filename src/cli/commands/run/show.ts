/**
 * `rok run show`: the present state of one run: its open holds with the arguments of what waits and the commands that
 * answer them, and the answer that it ended with.
 */
import type { Command } from 'commander';
import { usdText } from '../../../domain/money.js';
import type { OpenHold, RunView, ShownText } from '../../../reader/read.js';
import { foundRun } from '../../session/found-run.js';
import { answerCommand, argumentsLine } from '../../output/hold-lines.js';
import { plain } from '../../output/print.js';
import { shownBlock } from '../../output/shown-lines.js';
import { inSession } from '../../session/session.js';

const ARGUMENT_CHARS = 2_000;

export function runShow(run: Command): void {
  run
    .command('show')
    .argument('<run>', 'run id or workflow id')
    .description('one run as it stands')
    .action((name: string, _options: unknown, command: Command) =>
      inSession(command, async ({ print, reader }) => {
        const view = await foundRun(await reader(), name);
        const answer = await (await reader()).answer(view.run);
        if (print.json) print.object({ ...view, answer });
        else print.data(sheetOf(view, answer));
        return 0;
      }),
    );
}

function sheetOf(view: RunView, answer: ShownText | null): string {
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
  return [
    ...lines.map(([name, value]) => `${name.padEnd(12)}  ${plain(value)}`),
    ...(answer === null ? [] : [`${'answer'.padEnd(12)}  ${shownBlock(answer, ' '.repeat(14))}`]),
  ].join('\n');
}

function holdOf(hold: OpenHold, run: string): readonly (readonly [string, string])[] {
  const called = argumentsLine(hold, ARGUMENT_CHARS);
  return [
    ['held', `hold ${hold.hold}, ${hold.reason}: ${hold.what}`],
    ...(called === null ? [] : [['arguments', called] as const]),
    ['answers', `${hold.authority}, ${hold.given} of ${hold.quorum}, until ${hold.until}`],
    ['to resolve', answerCommand(hold, run)],
  ];
}
