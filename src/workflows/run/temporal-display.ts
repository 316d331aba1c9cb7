/** What the Temporal Web UI shows of a run: search attributes and the current details. No prompt text in either. */
import { defineSearchAttributeKey, SearchAttributeType, type SearchAttributeUpdatePair } from '@temporalio/common';
import { setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow';
import { usdText } from '../../domain/money.js';
import type { Opened } from '../../domain/protocol/decide.js';
import type { HoldStatus, RunStatus } from '../messages/messages.js';

const KEYWORD = SearchAttributeType.KEYWORD;
const KEYS = {
  tenant: defineSearchAttributeKey('RokTenant', KEYWORD),
  agent: defineSearchAttributeKey('RokAgent', KEYWORD),
  phase: defineSearchAttributeKey('RokPhase', KEYWORD),
  outcome: defineSearchAttributeKey('RokOutcome', KEYWORD),
  verdict: defineSearchAttributeKey('RokVerdict', KEYWORD),
  hold: defineSearchAttributeKey('RokHold', SearchAttributeType.KEYWORD_LIST),
  spend: defineSearchAttributeKey('RokSpendMicros', SearchAttributeType.INT),
  profile: defineSearchAttributeKey('RokProfile', KEYWORD),
};

/** Once when the run is open: an upsert is an event of history, so phases in between are not worth one. */
export function showOpened(opened: Opened): void {
  upsertSearchAttributes([
    { key: KEYS.tenant, value: opened.tenant },
    { key: KEYS.agent, value: opened.agent },
    { key: KEYS.profile, value: opened.profile },
    { key: KEYS.phase, value: opened.phase },
  ]);
}

/** Each reason once. */
export const showHolds = (reasons: readonly string[]): void => {
  upsertSearchAttributes([{ key: KEYS.hold, value: reasons.length === 0 ? null : [...reasons] }]);
};

export function showEnded(status: RunStatus): void {
  const pairs: SearchAttributeUpdatePair[] = [
    { key: KEYS.phase, value: status.phase },
    { key: KEYS.hold, value: null },
    { key: KEYS.spend, value: Number(status.spentMicros) },
  ];
  if (status.outcome !== null) pairs.push({ key: KEYS.outcome, value: status.outcome });
  if (status.verdict !== null) pairs.push({ key: KEYS.verdict, value: status.verdict });
  upsertSearchAttributes(pairs);
}

/** Kept in the workflow's memory and read by a query of the UI: costs no history. */
export function showDetails(opened: Opened, status: RunStatus): void {
  const lines = [
    `**${status.phase}**${status.outcome === null ? '' : `, outcome **${status.outcome}**`}${status.verdict === null ? '' : `, verdict **${status.verdict}**`}`,
    '',
    '| | |',
    '| --- | --- |',
    `| run | ${opened.run} |`,
    `| agent | ${opened.agent} (${opened.profile}) |`,
    `| step | ${status.step} |`,
    `| spend | ${usdText(BigInt(status.spentMicros))} of ${usdText(BigInt(status.capMicros))} USD |`,
    `| run deadline | ${opened.runDeadline} |`,
    `| finalize_run due | ${opened.finalizeDue} |`,
    ...status.holds.flatMap((hold) => holdLines(hold, opened.run)),
  ];
  setCurrentDetails(lines.join('\n'));
}

function holdLines(hold: HoldStatus, run: string): readonly string[] {
  return [
    `| **hold ${hold.hold}** | ${hold.reason}: ${hold.what} |`,
    `| answers | ${hold.authority}, ${hold.given} of ${hold.quorum} |`,
    `| until | ${hold.until}${hold.warned ? ', in less than 5 minutes' : ''} |`,
    `| resolve | \`${wayOut(hold, run)}\` |`,
  ];
}

const wayOut = ({ hold, reason, digest, authority }: HoldStatus, run: string): string =>
  digest === null
    ? `rok run resume ${run} --as NAME --role ${authority}`
    : reason === 'BUDGET'
      ? `rok budget raise ${run} --scope SCOPE --unit UNIT --window WINDOW --from CAP --to CAP --reason TEXT --as NAME --role approver:${authority}`
      : `rok approval approve ${run} --hold ${hold} --digest ${digest} --as NAME --role approver:${authority}`;
