/**
 * `rok budget show`: the accounts as they are. For a run: all that it takes from, in every window since its start;
 * otherwise those wider than a run, in their open windows. The login's rights decide what is visible; nothing is
 * filtered here.
 */
import { Option, type Command } from 'commander';
import { uuidOf } from '../../../domain/ids.js';
import { usdText } from '../../../domain/money.js';
import { wholeNumber } from '../../session/actor.js';
import { foundRun } from '../../session/found-run.js';
import { plain, table } from '../../output/print.js';
import { inSession } from '../../session/session.js';

const SCOPES = ['all', 'tenant', 'agent', 'label', 'run'] as const;
type Scope = (typeof SCOPES)[number];
type Options = {
  readonly tenant?: string;
  readonly scope?: Scope;
  readonly past?: boolean;
  readonly limit: number;
};

/** Amounts as decimal strings, in micro-USD where the unit is money. */
type Account = {
  readonly scope: Scope;
  readonly subject: string;
  readonly tenant: string | null;
  readonly unit: 'usd_micros' | 'tokens' | 'calls';
  readonly window: string;
  readonly windowStart: string;
  readonly windowEnd: string | null;
  readonly cap: string;
  readonly spent: string;
  readonly reserved: string;
  readonly over: string;
  readonly free: string;
  readonly onBreach: string;
  readonly warnedAt: string | null;
};

const COLUMNS = `SELECT x.scope, x.subject, x.tenant, x.unit, x.time_window AS window, x.window_start AS "windowStart",
    x.window_end AS "windowEnd", x.cap::text, x.spent::text, x.reserved::text, x.over::text, x.free::text,
    x.on_breach AS "onBreach", x.warned_at AS "warnedAt"
  FROM decide.v_balances x`;
/** The widest scope first, the newest run first; of one budget the newest window first. */
const ORDER = `ORDER BY x.rank DESC, CASE x.scope WHEN 'run' THEN x.subject END DESC NULLS LAST, x.subject, x.unit, x.time_window,
    x.window_start DESC`;

/** As decide.budgets_of reads what a run falls under. */
const OF_RUN = `${COLUMNS} JOIN decide.v_runs r ON r.run_id = $1
  WHERE (x.scope, x.subject) IN (
    SELECT 'run', r.run_id::text UNION ALL SELECT 'agent', r.tenant || '/' || r.agent UNION ALL SELECT 'tenant', r.tenant
    UNION ALL SELECT 'all', '' UNION ALL SELECT 'label', r.tenant || '/' || l.key || '=' || l.value FROM jsonb_each_text(r.labels) l)
    AND ($2::text IS NULL OR x.scope = $2) AND ($3::text IS NULL OR x.tenant = $3)
    AND x.window_start <= coalesce(r.ended_at, clock_timestamp()) AND coalesce(x.window_end > r.opened_at, true)
  ${ORDER} LIMIT $4`;

const WIDER = `${COLUMNS}
  WHERE ($1::text IS NULL OR x.tenant = $1) AND x.scope = coalesce($2, nullif(x.scope, 'run'))
    AND ($3 OR coalesce(x.window_end > clock_timestamp(), true))
  ${ORDER} LIMIT $4`;

export function budgetShow(budget: Command): void {
  budget
    .command('show')
    .argument('[run]', 'run id or workflow id: the accounts that it takes from')
    .option('--tenant <tenant>', 'of this tenant only')
    .addOption(new Option('--scope <scope>', 'of this scope only; `run`: the accounts of runs').choices(SCOPES))
    .option('--past', 'windows that are over too; of a run all that it lived in are shown')
    .option('--limit <n>', 'at most so many', wholeNumber, 200)
    .description('what may be used, what is spent and what is set aside')
    .action((name: string | undefined, { tenant, scope, past, limit }: Options, command: Command) =>
      inSession(command, async ({ print, reader }) => {
        const read = await reader();
        const accounts = (await (name === undefined
          ? read.rows(WIDER, [tenant ?? null, scope ?? null, past ?? false, limit])
          : read.rows(OF_RUN, [
              uuidOf((await foundRun(read, name)).run),
              scope ?? null,
              tenant ?? null,
              limit,
            ]))) as unknown as readonly Account[];
        if (print.json) for (const account of accounts) print.object(account);
        else print.data(accounts.length === 0 ? 'no accounts' : sheetOf(accounts));
        if (accounts.length === limit) print.say(`the first ${limit}; more with --limit`);
        return 0;
      }),
    );
}

const sheetOf = (accounts: readonly Account[]): string =>
  table(
    ['scope', 'subject', 'unit', 'window', 'since', 'cap', 'spent', 'reserved', 'over', 'free', 'on breach', 'warned'],
    accounts.map((one) => [
      one.scope,
      plain(one.subject),
      one.unit === 'usd_micros' ? 'usd' : one.unit,
      one.window,
      one.windowEnd === null ? '' : one.windowStart.slice(0, 10),
      ...[one.cap, one.spent, one.reserved, one.over, one.free].map((amount) =>
        one.unit === 'usd_micros' ? usdText(BigInt(amount)) : amount,
      ),
      one.onBreach,
      one.warnedAt === null ? '' : `${one.warnedAt.slice(0, 19)}Z`,
    ]),
  );
