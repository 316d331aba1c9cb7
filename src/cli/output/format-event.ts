/** Formats each event of a run as one line of text. The trace holds digests only: the arguments of a hold and the
 * run's answer, which a reader may see, come with them. */
import type { JsonObject } from '../../domain/json.js';
import { usdText } from '../../domain/money.js';
import type { RunView, ShownText, TraceLine } from '../../reader/read.js';
import type { Happening } from '../session/follow.js';
import { answerCommand, argumentsLine } from './hold-lines.js';
import { plain } from './print.js';
import { shownBlock } from './shown-lines.js';

const ARGUMENT_CHARS = 400;

/** Null for what is not worth a line. */
export function tell(happening: Happening): string | null {
  switch (happening.type) {
    case 'phase':
      return `phase     ${happening.view.phase}${happening.view.outcome === null ? '' : ` (${happening.view.outcome})`}`;
    case 'hold': {
      const { hold } = happening;
      const called = argumentsLine(hold, ARGUMENT_CHARS);
      return [
        plain(
          `paused    hold ${hold.hold}: ${hold.reason}, answered by ${hold.authority} until ${hold.until} — ${hold.what}`,
        ),
        ...(called === null ? [] : [`          with ${called}`]),
        `          ${answerCommand(hold, happening.view.run)}`,
      ].join('\n');
    }
    case 'trace':
      return ofTrace(happening.line);
    case 'end':
      return ofEnd(happening.view, happening.answer);
  }
}

const text = (body: JsonObject, key: string): string => {
  const value = body[key];
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
};
const list = (body: JsonObject, key: string): string => {
  const value = body[key];
  return Array.isArray(value) ? value.map((entry) => String(entry)).join('; ') : '';
};

/** Which of several, as `paused` named it. */
const held = (id: string): string => `hold ${/^hold\.(\d+)\./.exec(id)?.[1] ?? ''}`;

function ofTrace({ id, kind, body }: TraceLine): string | null {
  const step = /^(\d+)\.(\d+)\./.exec(id);
  const at = step === null ? '' : `${step[1] ?? ''}${step[2] === '1' ? '' : ` (attempt ${step[2] ?? ''})`}`;
  switch (kind) {
    case 'step.decided': {
      const why = list(body, 'reasons');
      const notices = list(body, 'notices');
      return plain(
        `decided   step ${at}: ${text(body, 'effect')} ${text(body, 'kind')} ${text(body, 'target')}${why === '' ? '' : ` — ${why}`}${notices === '' ? '' : ` [${notices}]`}`,
      );
    }
    case 'step.executed':
      return `executed  step ${at}: ${text(body, 'status')}${text(body, 'code') === '' ? '' : ` (${text(body, 'code')})`}`;
    case 'call.refused':
      return plain(`refused   step ${text(body, 'step')}: call of ${text(body, 'skill')} — ${text(body, 'code')}`);
    case 'approval.given':
    case 'actor.acted':
      return plain(`acted     ${text(body, 'actor')}: ${text(body, 'verb')}`);
    case 'budget.raised':
      return plain(
        `raised    ${text(body, 'actor')}: ${text(body, 'scope')} ${text(body, 'unit')} from ${text(body, 'from')} to ${text(body, 'to')}`,
      );
    case 'message.refused':
      return plain(`refused   ${text(body, 'actor')}: ${text(body, 'verb')} — ${text(body, 'reason')}`);
    case 'hold.warned':
      return plain(`ends soon ${held(id)}: ${text(body, 'authority')} may answer until ${text(body, 'until')}`);
    case 'hold.resolved':
      return `resumed   ${held(id)}: ${text(body, 'resolution')}`;
    default:
      return null;
  }
}

function ofEnd(view: RunView, answer: ShownText | null): string {
  const { decisions, attempts, refusedCalls } = view;
  return [
    `ended     ${view.phase}, outcome ${view.outcome ?? 'none'}${view.detail === '' ? '' : ` — ${plain(view.detail)}`}`,
    `cost      ${usdText(BigInt(view.spentMicros))} of ${usdText(BigInt(view.capMicros))} USD, ${attempts} attempts; decisions: ${decisions.allow} allow, ${decisions.deny} deny, ${decisions.pause} pause; refused before a decision: ${refusedCalls}`,
    `verdict   ${view.verdict ?? 'PENDING'}${view.findings.length === 0 ? '' : `: ${view.findings.map((finding) => `${finding.code} ${finding.subject}`).join(', ')}`}`,
    ...(answer === null ? [] : [`answer    ${shownBlock(answer, ' '.repeat(10))}`]),
  ].join('\n');
}

/** The same for machines. */
export function asEvent(happening: Happening): Readonly<Record<string, unknown>> {
  if (happening.type === 'trace') return { event: 'trace', ...happening.line };
  if (happening.type === 'end') return { event: 'end', ...happening.view, answer: happening.answer };
  if (happening.type === 'hold') return { event: 'hold', run: happening.view.run, ...happening.hold };
  return { event: happening.type, ...happening.view };
}
