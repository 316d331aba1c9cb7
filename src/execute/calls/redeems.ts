/**
 * Redeems warrants through the one database function that does so, in batches: requests that arrive while others are
 * redeemed share a statement and a commit. Repeating one with the same nonce is safe, so a request that failed in a
 * batch is sent again alone.
 */
import { createBatcher } from '../../domain/batching.js';
import { uuidOf, type Digest, type RunId } from '../../domain/ids.js';
import type { Database, Sql } from '../../domain/sql.js';
import { mayHaveHappened } from './try-again.js';

/** One statement is under way, and what comes meanwhile is the next: more would be smaller. One that is stuck holds up nobody. */
const BOUNDS = { batches: 1, items: 16, late: { afterMs: 250, atMost: 4 }, deadlineMs: 4_000 } as const;

export type RedeemAsk = {
  readonly run: RunId;
  readonly step: number;
  readonly attempt: number;
  readonly actionDigest: Digest;
  /** One for every try of one redeem. */
  readonly nonce: string;
};
/** `ok`, or why not; with `ok` the output limit that was granted, of a model call. */
export type RedeemAnswer = { readonly answer: string; readonly grantedOutput: number | null };
export type Redeem = (ask: RedeemAsk) => Promise<RedeemAnswer | undefined>;

export function openRedeems(database: Database): Redeem {
  const inBatch = createBatcher<RedeemAsk, RedeemAnswer>(
    { ...BOUNDS, keyOf: ({ run }) => run },
    async (asks, signal) => {
      try {
        return await redeemTogether(database.until(signal), asks);
      } catch (error) {
        // Whoever asked decides about another try, and has to know that this one may have held.
        if (mayHaveHappened(error)) throw error;
        // Whose fault it was shows when each is asked for by itself.
        return asks.map(() => BUSY);
      }
    },
  );
  return async (ask) => {
    const said = await inBatch(ask);
    return said.answer === BUSY.answer ? redeemAlone(database, ask) : said;
  };
}

/** Somebody else has the run, and only who asks for it waits. */
const BUSY: RedeemAnswer = { answer: 'busy', grantedOutput: null };

type AnswerRow = { readonly answer: string; readonly granted_output: bigint | null };

const told = ({ answer, granted_output: granted }: AnswerRow): RedeemAnswer => ({
  answer,
  grantedOutput: granted === null ? null : Number(granted),
});

async function redeemTogether(sql: Sql, asks: readonly RedeemAsk[]): Promise<readonly RedeemAnswer[]> {
  const rows = await sql.query<AnswerRow & { readonly place: number }>(
    'SELECT place, answer, granted_output FROM decide.redeem_together($1)',
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
  const byPlace = new Map(rows.map((row) => [row.place, told(row)]));
  return asks.map((_, at) => byPlace.get(at + 1) ?? BUSY);
}

async function redeemAlone(sql: Sql, ask: RedeemAsk): Promise<RedeemAnswer | undefined> {
  const [row] = await sql.query<AnswerRow>('SELECT answer, granted_output FROM decide.redeem($1, $2, $3, $4, $5)', [
    uuidOf(ask.run),
    ask.step,
    ask.attempt,
    ask.actionDigest,
    ask.nonce,
  ]);
  return row === undefined ? undefined : told(row);
}
