/**
 * The only way to a call. It computes the action's digest again from what is about to be done, redeems the warrant for
 * exactly that action, and only then gives the call the token without which the registry calls nothing. The attempt's
 * result is written before anyone is told. It decides nothing and repeats no call.
 */
import { randomUUID } from 'node:crypto';
import type { RunId } from '../domain/ids.js';
import { actionDigest, type Intent } from '../domain/intent.js';
import type { ModelAnswer, StepResult } from '../domain/protocol/execute.js';
import { causeOf, type Classified } from './calls/classify.js';
import type { Content } from './content/content-store.js';
import type { CrashPoint, ExecuteDeps, InFlight } from './deps.js';
import { redeemed, type Redeemed } from './redeemed.js';
import { writeResult, type Ended, type Standing, type Succeeded } from './calls/result-row.js';
import { tryAgain } from './calls/try-again.js';

/** What is about to be done: the intent as rebuilt from what was loaded, not as it was told. */
export type WarrantRequest = { readonly run: RunId; readonly intent: Intent; readonly timeoutMs: number };
export type Done = Omit<Succeeded, 'status'> & { readonly contents: readonly Content[]; readonly model?: ModelAnswer };
export type Call = {
  /** @param grantedOutput the output limit that redeem gave, of a model call */
  run(token: Redeemed, signal: AbortSignal, grantedOutput: number | null): Promise<Done>;
  /** What an error of this kind of call means. */
  classify(error: unknown): Classified;
};

const REDEEM_TRIES = 6;
const RESULT_TRIES = 8;

export async function underWarrant(
  deps: ExecuteDeps,
  request: WarrantRequest,
  inFlight: InFlight,
  call: Call,
): Promise<StepResult> {
  const warrant = await redeem(deps, request, inFlight.signal);
  if (!warrant.redeemed) return { result: warrant.refusal, resultDigest: null };
  const { ended, contents, model } = await perform(deps, request, inFlight, call, warrant.grantedOutput);
  const standing = await record(deps, request, ended, contents);
  if (standing === null) return { result: { status: 'unknown', cause: 'result not stored' }, resultDigest: null };
  return {
    result: standing.result,
    resultDigest: standing.digest,
    ...(standing.mine && model !== undefined ? { model } : {}),
  };
}

type Warrant =
  | { readonly redeemed: true; readonly grantedOutput: number | null }
  /** Nothing was called. */
  | { readonly redeemed: false; readonly refusal: StepResult['result'] };

async function redeem(deps: ExecuteDeps, { run, intent }: WarrantRequest, signal: AbortSignal): Promise<Warrant> {
  // One nonce for every try of this redeem: the first commit's answer may be lost, and the second try must be let through.
  const nonce = randomUUID();
  const digest = actionDigest(intent);
  crash(deps, 'redeem.before');
  // Told to stop before anything began: the warrant stays unredeemed and is released.
  if (signal.aborted) return { redeemed: false, refusal: { status: 'failed', code: 'warrant_refused' } };
  const answer = await tryAgain(
    () => deps.redeem({ run, step: intent.step, attempt: intent.attempt, actionDigest: digest, nonce }),
    { tries: REDEEM_TRIES, signal },
  );
  crash(deps, 'redeem.after');
  if (answer.answered && answer.value?.answer === 'ok')
    return { redeemed: true, grantedOutput: answer.value.grantedOutput };
  const said = answer.answered ? (answer.value?.answer ?? 'no answer') : 'unanswered';
  const { step, attempt } = intent;
  deps.log.warn(
    { run, step, attempt, refusal: said, ...(answer.answered ? {} : { why: causeOf(answer.error) }) },
    'warrant refused',
  );
  const certain = answer.answered || answer.certain;
  return {
    redeemed: false,
    refusal: certain
      ? { status: 'failed', code: 'warrant_refused' }
      : { status: 'unknown', cause: 'redeem unanswered' },
  };
}

type Performed = { readonly ended: Ended; readonly contents: readonly Content[]; readonly model?: ModelAnswer };

async function perform(
  deps: ExecuteDeps,
  request: WarrantRequest,
  inFlight: InFlight,
  call: Call,
  grantedOutput: number | null,
): Promise<Performed> {
  const signal = AbortSignal.any([inFlight.signal, AbortSignal.timeout(request.timeoutMs)]);
  try {
    crash(deps, 'call.before');
    const { contents, model, ...done } = await untilAborted(signal, () => call.run(redeemed(), signal, grantedOutput));
    crash(deps, 'call.after');
    return { ended: { status: 'succeeded', ...done }, contents, ...(model === undefined ? {} : { model }) };
  } catch (error) {
    const ended = call.classify(error);
    const { step, attempt } = request.intent;
    deps.log.warn({ run: request.run, step, attempt, ...ended }, 'call did not succeed');
    return { ended, contents: [] };
  }
}

/** Contents and result in one statement. Null when the database did not take them: the settle will fence. */
async function record(
  deps: ExecuteDeps,
  { run, intent }: WarrantRequest,
  ended: Ended,
  contents: readonly Content[],
): Promise<Standing | null> {
  const { step, attempt } = intent;
  crash(deps, 'result.before');
  const stored = await tryAgain(() => writeResult(deps.database, { run, step, attempt }, ended, contents), {
    tries: RESULT_TRIES,
  });
  crash(deps, 'result.after');
  if (!stored.answered) {
    deps.log.warn({ run, step, attempt, why: causeOf(stored.error) }, 'result not stored');
    return null;
  }
  if (!stored.value.mine) deps.log.warn({ run, step, attempt }, 'another result stands');
  return stored.value;
}

function crash(deps: ExecuteDeps, point: CrashPoint): void {
  deps.crashAt?.(point);
}

/** Gives up at the signal even where the call does not listen to it; what the call does later counts for nothing. */
async function untilAborted<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  let forget = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    const abort = (): void => {
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', abort, { once: true });
    forget = () => {
      signal.removeEventListener('abort', abort);
    };
  });
  try {
    return await Promise.race([work(), aborted]);
  } finally {
    forget();
  }
}
