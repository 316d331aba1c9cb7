/**
 * What can be wrong with a ledger, as statements that a superuser plants, each with what is said of it. Of run `done` step 1
 * is a model call, 2 a skill call, 4 a skill call that failed; of run `killed` step 3 is a model call of unknown fate.
 */
export type Planted = {
  readonly done: string;
  readonly killed: string;
  /** Receipts of `done` that say something else. */
  readonly less: string;
  readonly unreadable: string;
};
type Statement = (planted: Planted) => string;

const at = (run: string, step: number): string => `(run_id, step) = ('${run.slice(4)}', ${step})`;
const ofDone =
  (step: number, statement: string): Statement =>
  ({ done }) =>
    `${statement} WHERE ${at(done, step)}`;
const ofKilled =
  (statement: string): Statement =>
  ({ killed }) =>
    `${statement} WHERE ${at(killed, 3)}`;
const reservation = (step: number, set: string): Statement => ofDone(step, `UPDATE decide.reservations SET ${set}`);
const receipt =
  (jws: (planted: Planted) => string): Statement =>
  (planted) =>
    `UPDATE audit.receipts SET jws = '${jws(planted)}' WHERE run_id = '${planted.done.slice(4)}'`;

const NOT_CLOSED = 'closed_at = NULL, spent_micros = NULL, over_micros = NULL, tokens = NULL';
const ISSUED = `state = 'issued', nonce = NULL, redeemed_at = NULL, ${NOT_CLOSED}`;

/** Name, table, offence, and every check with what it must say, no more. */
export const offences: readonly (readonly [string, string, Statement, readonly string[]])[] = [
  [
    'a balance that was moved by hand',
    'decide.accounts',
    () => `UPDATE decide.accounts SET spent = spent + 1 WHERE subject = 'acme/team=desk'`,
    ['balances: spent'],
  ],
  [
    'a cap that nobody changed',
    'decide.accounts',
    () => `UPDATE decide.accounts SET cap = cap + 1, ceiling = ceiling + 1 WHERE subject = 'acme'`,
    ['balances: cap'],
  ],
  [
    'money set aside for nothing',
    'decide.accounts',
    () => `UPDATE decide.accounts SET reserved = 1 WHERE subject = 'acme'`,
    ['balances: reserved', 'reserved: reserved'],
  ],
  [
    'an entry of an attempt that there never was',
    'decide.journal',
    ({ done }) => `INSERT INTO decide.journal (account_id, run_id, step, attempt, op, spent)
      SELECT account_id, '${done.slice(4)}', 99, 1, 'settle', 3 FROM decide.accounts WHERE subject = 'acme'`,
    ['balances: spent', 'charges: closed', 'charges: used'],
  ],
  [
    'an admission above a cap',
    'decide.journal',
    ({ done }) => `INSERT INTO decide.journal (account_id, run_id, step, attempt, op, reserved)
      SELECT account_id, '${done.slice(4)}', 1, 1, o.op, o.moved FROM decide.accounts,
        (VALUES ('reserve', 6000000), ('release', -6000000)) o (op, moved) WHERE subject = 'acme'`,
    ['cap: entry', 'charges: closed', 'charges: opened'],
  ],
  [
    'an entry that was taken away',
    'decide.journal',
    ({ done }) => `DELETE FROM decide.journal j USING decide.accounts a
      WHERE j.account_id = a.account_id AND a.subject = 'acme/team=desk' AND ${at(done, 1)} AND j.op = 'settle'`,
    ['balances: reserved', 'balances: spent', 'charges: closed', 'charges: set aside', 'charges: used'],
  ],
  [
    'a reservation that says it took less',
    'decide.reservations',
    reservation(1, 'spent_micros = spent_micros - 1'),
    ['attempts: settled at another cost', 'charges: used', 'receipts: spent'],
  ],
  [
    'a reservation that is gone',
    'decide.reservations',
    ofDone(2, 'DELETE FROM decide.reservations'),
    ['attempts: attempted without a reservation', 'charges: closed', 'charges: opened', 'charges: used'],
  ],
  [
    'a reservation that stayed open',
    'decide.reservations',
    reservation(1, `state = 'redeemed', ${NOT_CLOSED}`),
    [
      'attempts: redeemed when the run had ended',
      'charges: closed',
      'charges: used',
      'receipts: spent',
      'receipts: tokens',
      'reserved: reserved',
    ],
  ],
  [
    'an attempt that is gone',
    'execute.attempts',
    ofDone(1, 'DELETE FROM execute.attempts'),
    ['attempts: settled without an attempt'],
  ],
  [
    'a result that is gone',
    'execute.results',
    ofKilled('DELETE FROM execute.results'),
    ['attempts: forfeited without a result'],
  ],
  ['a receipt that states less', 'audit.receipts', receipt(({ less }) => less), ['receipts: spent']],
  [
    'a receipt that states what cannot be read',
    'audit.receipts',
    receipt(({ unreadable }) => unreadable),
    ['receipts: spent', 'receipts: tokens'],
  ],
  ['a receipt that is none', 'audit.receipts', receipt(() => 'a.b=.c'), ['receipts: spent', 'receipts: tokens']],
];

/** What is said of one attempt, its step, and the statements that make it so. */
export const attemptOffences: readonly (readonly [string, number, readonly Statement[]])[] = [
  ['attempted under another warrant', 1, [ofDone(1, 'UPDATE execute.attempts SET nonce = gen_random_uuid()')]],
  ['attempted under another warrant', 1, [ofDone(1, `UPDATE execute.attempts SET action_digest = repeat('b', 64)`)]],
  ['attempted, and only issued', 1, [reservation(1, ISSUED)]],
  ['issued when the run had ended', 1, [reservation(1, ISSUED), ofDone(1, 'DELETE FROM execute.attempts')]],
  ['released, and charged', 1, [reservation(1, `state = 'released'`), ofDone(1, 'DELETE FROM execute.attempts')]],
  ['attempted, and only released', 1, [reservation(1, `state = 'released'`)]],
  ['settled, and unknown', 3, [ofKilled(`UPDATE decide.reservations SET state = 'settled'`)]],
  ['forfeited, and not in full', 3, [ofKilled('UPDATE decide.reservations SET tokens = tokens - 1')]],
  ['forfeited, and succeeded', 1, [reservation(1, `state = 'forfeited'`)]],
  ['forfeited, and failed', 4, [reservation(4, `state = 'forfeited', over_micros = 1`)]],
  ['failed, and charged', 4, [reservation(4, 'tokens = 1')]],
  ['skill.call, and charged', 2, [reservation(2, 'spent_micros = 1')]],
  ['settled at other tokens than reported', 1, [reservation(1, 'tokens = tokens + 1')]],
  ['settled on the wrong side of its bound', 1, [reservation(1, 'over_micros = 1')]],
  ['settled on the wrong side of its bound', 1, [reservation(1, 'spent_micros = bound_micros + 1')]],
  ['settled at another cost', 1, [reservation(1, 'cost_usd = NULL')]],
  ['settled at another cost', 1, [reservation(1, 'cost_usd = cost_usd * 2')]],
];
