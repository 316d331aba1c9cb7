/**
 * `rok policy report`: what was allowed but would have been blocked, rule by rule: by OBSERVE_ONLY, by a policy in
 * shadow mode, by a soft rate limit in STANDARD. Reads the notices of stored decisions and decides nothing again.
 */
import { InvalidArgumentError, type Command } from 'commander';
import { durationMs } from '../../../domain/agent.js';
import type { Notice } from '../../../domain/decision.js';
import { plain, table } from '../../output/print.js';
import { inSession } from '../../session/session.js';

/** What a notice says would have happened; the others are warnings of what did. */
const WOULD = {
  would_deny: 'deny',
  would_pause: 'pause',
  would_wait: 'wait',
  rate_warning: 'wait',
  shadow: 'block (shadow)',
} as const satisfies Partial<Record<Notice['code'], string>>;

type Line = {
  readonly rule: string;
  readonly code: keyof typeof WOULD;
  readonly decisions: number;
  readonly runs: number;
  readonly agents: readonly string[];
  readonly first: string;
  readonly last: string;
  readonly text: string;
};

/** `agents` are `tenant/agent`; `text` is what the last of them said. */
const LINES = `SELECT n.rule, n.code, count(DISTINCT (d.run_id, d.step, d.attempt))::int AS decisions, count(DISTINCT d.run_id)::int AS runs,
    array_agg(DISTINCT r.tenant || '/' || r.agent) AS agents, min(d.decided_at) AS first, max(d.decided_at) AS last,
    (array_agg(n.text ORDER BY d.decided_at DESC))[1] AS text
  FROM decide.v_decisions d JOIN decide.v_runs r ON r.run_id = d.run_id,
    LATERAL jsonb_to_recordset(d.notices) AS n(code text, rule text, text text)
  WHERE n.code = ANY ($1) AND ($2::text IS NULL OR r.tenant = $2)
    AND d.decided_at >= coalesce($3::timestamptz, clock_timestamp() - $4::float8 * interval '1 millisecond', '-infinity')
  GROUP BY n.rule, n.code ORDER BY decisions DESC, n.rule, n.code`;

type Since = { readonly at?: string; readonly ms?: number };
type Options = { readonly tenant?: string; readonly since?: Since };

export function policyReport(policy: Command): void {
  policy
    .command('report')
    .option('--tenant <tenant>', 'of this tenant only')
    .option('--since <when>', 'a duration such as 7d, or a time such as 2026-11-24T00:00:00Z', sinceOf)
    .description('what would have been blocked, rule by rule')
    .action(({ tenant, since }: Options, command: Command) =>
      inSession(command, async ({ print, reader }) => {
        const values = [Object.keys(WOULD), tenant ?? null, since?.at ?? null, since?.ms ?? null];
        const lines = (await (await reader()).rows(LINES, values)) as unknown as readonly Line[];
        if (print.json) for (const line of lines) print.object({ ...line, would: WOULD[line.code] });
        else if (lines.length > 0) print.data(sheetOf(lines));
        print.say(lines.length === 0 ? 'nothing would have been blocked' : `${lines.length} rules`);
        return 0;
      }),
    );
}

function sinceOf(text: string): Since {
  if (!Number.isNaN(Date.parse(text)) && text.includes('-')) return { at: text };
  try {
    return { ms: durationMs(text) };
  } catch {
    throw new InvalidArgumentError('it must be a duration such as 7d or a time such as 2026-11-24T00:00:00Z');
  }
}

const sheetOf = (lines: readonly Line[]): string =>
  table(
    ['rule', 'would', 'decisions', 'runs', 'agents', 'last', 'says'],
    lines.map(({ rule, code, decisions, runs, agents, last, text }) => [
      plain(rule),
      WOULD[code],
      `${decisions}`,
      `${runs}`,
      agents.map(plain).join(', '),
      `${last.slice(0, 19)}Z`,
      plain(text),
    ]),
  );
