/** What people do to one run of the refund desk on an ordinary day: rightly, wrongly, and all at once. */
import { setTimeout as sleep } from 'node:timers/promises';
import { RokError, type Acting, type GovernedRunHandle } from '../src/client.js';
import type { OpenHold } from '../src/reader/read.js';
import type { Random } from './random.js';

export const PLOTS = ['approve', 'reject', 'kill', 'cancel', 'pause', 'raise', 'wrong'] as const;
export type Plot = (typeof PLOTS)[number];

/** Who is there: each proves who it is as the stage's issuer lets it. */
export type People = (name: string, ...roles: readonly string[]) => Acting;
export type Scene = { readonly handle: GovernedRunHandle; readonly people: People; readonly random: Random };

const NOT_A_DIGEST = '0'.repeat(64) as OpenHold['digest'] & string;
const ODD_IDS = ['ticket #5', 'a@b', 'ÿ', 'aGVsbG8=/+', 'x'.repeat(200), '💸', "'; DROP TABLE runs; --"];

/** Plays `plot` on the run and returns when the run has ended. @returns how many messages were refused */
export async function playPlot(plot: Plot, scene: Scene): Promise<number> {
  const { handle, people, random } = scene;
  const operator = people('olga', 'operator');
  const because = { reason: 'the day asks for it' };
  switch (plot) {
    case 'kill':
    case 'cancel':
      await sleep(random.between(0, 4_000));
      return refusals([() => handle[plot]({ actor: operator, ...because })]);
    case 'pause': {
      const refused = await refusals([() => handle.pause({ actor: operator, ...because })]);
      // Of a run that ended meanwhile there is nothing to resume.
      await heldFor(handle, 'operator');
      await sleep(random.between(0, 1_000));
      return (
        refused +
        (await refusals([() => handle.resume({ actor: operator, ...because })])) +
        (await answer(scene, 'approve'))
      );
    }
    case 'raise':
      return (await raise(scene)) + (await answer(scene, 'approve'));
    case 'wrong':
      return (await wrongMessages(scene)) + (await answer(scene, 'approve'));
    case 'approve':
    case 'reject':
      return answer(scene, plot);
  }
}

/** Answers the hold for finance as finance, when there is one. */
async function answer({ handle, people }: Scene, verb: 'approve' | 'reject'): Promise<number> {
  const hold = await heldFor(handle, 'finance');
  if (hold === null || hold.digest === null) return 0;
  const said = { actor: people('bob', 'approver:finance'), hold: hold.hold, digest: hold.digest, reason: 'looked at' };
  return refusals([() => handle[verb](said)]);
}

async function raise({ handle, people, random }: Scene): Promise<number> {
  const hold = await heldFor(handle, 'finance');
  const view = await handle.status();
  if (hold === null || view === null) return 0;
  const to = BigInt(view.capMicros) + BigInt(Math.floor(random.between(1, 1_000_000)));
  const terms = { scope: 'run', unit: 'usd_micros', window: 'run', from: view.capMicros, to: to.toString() } as const;
  const subject = view.run.slice('run_'.length);
  const actor = people('bob', 'approver:finance');
  return refusals([() => handle.raiseBudget({ ...terms, subject, actor, reason: 'more was asked for' })]);
}

/** Each of these is refused, or noted and ignored; none may change what becomes of the run. */
async function wrongMessages({ handle, people, random }: Scene): Promise<number> {
  const hold = await heldFor(handle, 'finance');
  if (hold === null || hold.digest === null) return 0;
  const { digest } = hold;
  const requester = people('alice', 'requester', 'approver:finance');
  const stranger = people('mallory');
  const reason = 'wrong';
  const updateId = `${ODD_IDS[Math.floor(random.between(0, ODD_IDS.length))] ?? ''} ${random.next()}`;
  return refusals([
    () => handle.approve({ actor: requester, hold: hold.hold, digest, reason }),
    () => handle.approve({ actor: stranger, hold: hold.hold, digest, reason, updateId }),
    () => handle.approve({ actor: people('bob', 'approver:finance'), hold: hold.hold, digest: NOT_A_DIGEST, reason }),
    () => handle.approve({ actor: people('bob', 'approver:finance'), hold: 2 ** 40, digest, reason }),
    () => handle.kill({ actor: stranger, reason, updateId: `kill ${updateId}` }),
    () => handle.pause({ actor: { assertion: 'not.a.token' }, reason }),
    () => handle.resume({ actor: stranger, reason: '\u0000' }),
    () => handle.finalize('somebody').then(() => ({})),
  ]);
}

/** What a run's own state or rules refuse is a refusal; anything else ends the day. */
async function refusals(acts: readonly (() => Promise<unknown>)[]): Promise<number> {
  const refused = await Promise.all(
    acts.map(async (act) => {
      try {
        await act();
        return 0;
      } catch (error) {
        if (error instanceof RokError) return 1;
        throw error;
      }
    }),
  );
  return refused.reduce<number>((sum, one) => sum + one, 0);
}

/** The hold that waits for `authority`; null where the run ends without one. */
async function heldFor(handle: GovernedRunHandle, authority: string): Promise<OpenHold | null> {
  for await (const view of handle.watch({ everyMs: 300 })) {
    const hold = view.holds.find((one) => one.authority === authority);
    if (hold !== undefined) return hold;
  }
  return null;
}
