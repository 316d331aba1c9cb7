/**
 * `rok ledger --drift`: compares the ledger with its journal, with attempts and results, and with receipts, and names
 * each difference. Reads views of the database and repairs nothing.
 */
import type { Command } from 'commander';
import { RokError } from '../../domain/errors.js';
import type { Reader } from '../../reader/read.js';
import { plain, table } from '../output/print.js';
import { inSession } from '../session/session.js';

/** What the ledger says and what is said against it, as text; null where one says nothing. */
type Drift = {
  readonly subject: string;
  readonly what: string;
  readonly ledger: string | null;
  readonly against: string | null;
};

const ACCOUNT = `x.scope || CASE WHEN x.subject = '' THEN '' ELSE ' ' || x.subject END || ', ' || x.unit`;
const WINDOW = `' a ' || x.time_window || CASE WHEN x.window_start = 'epoch' THEN '' ELSE
  to_char(x.window_start AT TIME ZONE 'UTC', ' "of" YYYY-MM-DD') END`;
const ATTEMPT = `'run_' || x.run_id || ' step ' || x.step || ' attempt ' || x.attempt`;

/** By name; each gives the columns of a Drift. A row is a bug, or somebody's hand. */
const CHECKS = {
  /** Balances and caps against the sums of the journal. */
  balances: `SELECT ${ACCOUNT} || ${WINDOW} AS subject, x.what, x.balance::text AS ledger, x.journal::text AS against
    FROM decide.v_drift x`,
  /** Reserved against open reservations. */
  reserved: `SELECT ${ACCOUNT} AS subject, 'reserved' AS what, x.reserved::text AS ledger, x.set_aside::text AS against
    FROM decide.v_set_aside_drift x`,
  /** At every entry: what had been admitted against the cap of that time. */
  cap: `SELECT ${ACCOUNT} || ${WINDOW} AS subject, 'entry ' || v.entry_id AS what, v.admitted::text AS ledger, v.cap::text AS against
    FROM decide.v_overspent v JOIN decide.v_balances x USING (account_id)`,
  /** Entries of an attempt against its reservation. */
  charges: `SELECT ${ATTEMPT} || ' on ' || ${ACCOUNT} AS subject, x.what, x.journal AS ledger, x.reservation AS against
    FROM decide.v_charge_drift x`,
  /** Reservations against attempts and results. */
  attempts: `SELECT ${ATTEMPT} AS subject, x.what, x.state AS ledger, x.status AS against FROM audit.v_attempt_drift x`,
  /** Reservations against what the latest receipt states. */
  receipts: `SELECT 'run_' || x.run_id || ' receipt ' || x.n AS subject, x.what, x.ledger::text AS ledger, x.stated::text AS against
    FROM audit.v_receipt_drift x`,
} as const;
type Check = keyof typeof CHECKS;
const NAMES = Object.keys(CHECKS) as readonly Check[];

/** Of each check so many are named; the sum counts all. */
const NAMED = 1_000;

export function ledger(group: Command): void {
  group
    .command('ledger')
    .description('whether the ledger agrees with itself, with attempts and with receipts')
    .option('--drift', 'name everything that does not; exit code 6 where there is any')
    .action((options: { readonly drift?: boolean }, command: Command) =>
      inSession(command, async ({ print, reader }) => {
        if (options.drift !== true)
          throw new RokError('usage', '`rok ledger` checks the ledger', 'add `--drift`; balances: `rok budget show`');
        const read = await reader();
        const found: (Drift & { readonly check: Check })[] = [];
        let all = 0;
        for (const check of NAMES) {
          const { drifts, count } = await driftOf(read, check);
          found.push(...drifts.map((drift) => ({ check, ...drift })));
          all += count;
        }
        if (print.json) for (const drift of found) print.object(drift);
        else if (found.length > 0) print.data(sheetOf(found));
        print.say(all === 0 ? `nothing drifts: ${NAMES.join(', ')} agree` : `${all} do not agree`);
        return all === 0 ? 0 : 6;
      }),
    );
}

async function driftOf(
  reader: Reader,
  check: Check,
): Promise<{ readonly drifts: readonly Drift[]; readonly count: number }> {
  const rows = (await reader.rows(
    `SELECT d.*, (count(*) OVER ())::int AS count FROM (${CHECKS[check]}) d ORDER BY d.subject, d.what LIMIT ${NAMED}`,
  )) as unknown as readonly (Drift & { readonly count: number })[];
  return { drifts: rows.map(({ count: _count, ...drift }) => drift), count: rows[0]?.count ?? 0 };
}

const sheetOf = (found: readonly (Drift & { readonly check: Check })[]): string =>
  table(
    ['check', 'of', 'what', 'ledger', 'against'],
    found.map(({ check, subject, what, ledger: says, against }) => [
      check,
      plain(subject),
      what,
      says ?? '',
      against ?? '',
    ]),
  );
