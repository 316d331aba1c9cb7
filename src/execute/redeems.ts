/**
 * Asks for warrants through the one function that redeems. Those that come while others are being redeemed share a statement
 * and a commit. Repeating one with the same nonce is safe, so whatever a group could not do is asked for by itself.
 */
import { inGroups } from '../domain/grouping.js';
import { uuidOf, type Digest, type RunId } from '../domain/ids.js';
import type { Database, Sql } from '../domain/sql.js';
import { mayHaveHappened } from './try-again.js';

/** One statement is under way, and what comes meanwhile is the next: more would be smaller. One that is stuck holds up nobody. */
const BOUNDS = { groups: 1, items: 16, late: { afterMs: 250, atMost: 4 }, deadlineMs: 4_000 } as const;

export type RedeemAsk = {
  readonly run: RunId;
  readonly step: number;
  readonly attempt: number;
  readonly actionDigest: Digest;
  /** One for every try of one redeem. */
  readonly nonce: string;
};
/** `ok`, or why not. */
export type Redeem = (ask: RedeemAsk) => Promise<string | undefined>;

export function openRedeems(database: Database): Redeem {
  const inGroup = inGroups<RedeemAsk, string>({ ...BOUNDS, keyOf: ({ run }) => run }, async (asks, signal) => {
    try {
      return await redeemTogether(database.until(signal), asks);
    } catch (error) {
      // Whoever asked decides about another try, and has to know that this one may have held.
      if (mayHaveHappened(error)) throw error;
      // Whose fault it was shows when each is asked for by itself.
      return asks.map(() => BUSY);
    }
  });
  return async (ask) => {
    const said = await inGroup(ask);
    return said === BUSY ? redeemAlone(database, ask) : said;
  };
}

/** Somebody else has the run, and only who asks for it waits. */
const BUSY = 'busy';

async function redeemTogether(sql: Sql, asks: readonly RedeemAsk[]): Promise<readonly string[]> {
  const rows = await sql.query<{ place: number; answer: string }>(
    'SELECT place, answer FROM decide.redeem_together($1)',
    [
      JSON.stringify(
        asks.map((ask) => ({
          run: uuidOf(ask.run),
          step: ask.step,
          attempt: ask.attempt,
          action_digest: ask.actionDigest,
          nonce: ask.nonce,
        })),
      ),
    ],
  );
  return asks.map((_, at) => rows.find(({ place }) => place === at + 1)?.answer ?? BUSY);
}

async function redeemAlone(sql: Sql, ask: RedeemAsk): Promise<string | undefined> {
  const [row] = await sql.query<{ answer: string }>('SELECT decide.redeem($1, $2, $3, $4, $5) AS answer', [
    uuidOf(ask.run),
    ask.step,
    ask.attempt,
    ask.actionDigest,
    ask.nonce,
  ]);
  return row?.answer;
}
