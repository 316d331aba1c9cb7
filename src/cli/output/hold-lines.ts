/** What is said of an open hold: the call that waits, who may answer, and the command that answers it. */
import type { OpenHold } from '../../reader/read.js';
import { plain } from './print.js';
import { shownLine } from './shown-lines.js';

/** The arguments of what waits, on one line with their digest; null where nothing with arguments waits. */
export const argumentsLine = (hold: OpenHold, chars: number): string | null =>
  hold.arguments === null ? null : shownLine(hold.arguments, chars);

export function answerCommand(hold: OpenHold, run: string): string {
  const { reason, digest, authority } = hold;
  const command =
    reason === 'BUDGET'
      ? `rok budget raise ${run} --scope <scope> --unit <unit> --window <window> --from <cap> --to <cap> --reason <text> --as <name> --role approver:${authority}`
      : digest === null
        ? `rok run resume ${run} ${reason === 'UNKNOWN_RESULT' ? '--was <done|not-done> ' : ''}--as <name> --role operator`
        : `rok approval approve ${run} --digest ${digest} --as <name> --role approver:${authority}`;
  return plain(command);
}
