/**
 * The programs' front door: start and steer runs through Temporal, see them through PostgreSQL. It decides nothing: whoever
 * may do what is decided by the run itself, and a refusal comes back as a RokError with its code.
 *
 *     const rok = await RokClient.connect();
 *     const { run } = await rok.start({ tenant: 'acme', agent: 'refund-desk', input: '…', actor: { local: 'alice' } });
 *     const result = await run.result();
 */
import { randomUUID } from 'node:crypto';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { claimOf, type Act, type Acting } from './client/actor-claims.js';
import { RokError } from './domain/errors.js';
import { isRunId, workflowIdOf, type Digest } from './domain/ids.js';
import { isTerminal } from './domain/phases.js';
import type { ActorVerb, Fate } from './domain/protocol/decide.js';
import { fateDigest } from './domain/protocol/message.js';
import type { RunSpec } from './domain/run-spec.js';
import { sendFinalize } from './client/finalize-run.js';
import { isSettled, openReader, type Reader, type RunView, type ShownText, type StoredReceipt } from './reader/read.js';
import { commandEnvironment, DATA_FOLDER } from './platform/config/environment.js';
import { connectTemporal, temporalSettings } from './platform/temporal/temporal.js';
import { fromStartError, toRokError } from './platform/temporal/temporal-failure.js';
import { isKnown, sameAsFirst } from './client/repeated-start.js';
import { named, startWorkflow } from './client/start-workflow.js';
import { sendRaise, type RaiseAct } from './client/raise-budget.js';
import { say } from './client/send-message.js';
import type { Answer, Raised, RunResult, ActorRequest, ActorResponse } from './workflows/messages/messages.js';

export type { Act, Acting, Purpose } from './client/actor-claims.js';
export { RokError, type ErrorCode } from './domain/errors.js';
export type { ActorClaim } from './domain/actor.js';
export type { RunSpec } from './domain/run-spec.js';
export type { Reader, RunView, ShownText, StoredReceipt } from './reader/read.js';
export type { RaiseAct } from './client/raise-budget.js';
export type { Raised, RunResult, ActorResponse } from './workflows/messages/messages.js';

/** Without `hold` and `digest` the answer is for the one hold that is pending now; of several it says which. */
export type AnswerAct = Act & { readonly hold?: number; readonly digest?: Digest };
export type StartSpec = Omit<RunSpec, 'actor'> & { readonly actor: Acting };

export interface GovernedRunHandle {
  readonly workflowId: string;
  /** Null while no control worker has opened the run yet. */
  status(): Promise<RunView | null>;
  /** Yields at every change until the run has ended and is judged, or `signal` aborts. */
  watch(options?: { readonly signal?: AbortSignal; readonly everyMs?: number }): AsyncIterable<RunView>;
  /** Waits for the end, however the run ends. */
  result(): Promise<RunResult>;
  pause(act: Act): Promise<ActorResponse>;
  /** `was`: where a call may or may not have been done, what who looked says of it. */
  resume(act: Act & { readonly was?: Fate }): Promise<ActorResponse>;
  cancel(act: Act): Promise<ActorResponse>;
  /** Returns when the run has ended. */
  kill(act: Act): Promise<ActorResponse>;
  approve(act: AnswerAct): Promise<ActorResponse>;
  reject(act: AnswerAct): Promise<ActorResponse>;
  /** The cap of a budget that the run falls under; a run that waits for a budget goes on in place. */
  raiseBudget(act: RaiseAct): Promise<Raised>;
  /** Asks the run to close; before its deadline that is noted and ignored, but by the assertion of one who may. */
  finalize(by: string, act?: Act): Promise<void>;
  /** What the run answered, at most 64 KiB of it; null when it has not ended, or ended without an answer. */
  answer(): Promise<ShownText | null>;
  /** The latest; null while there is none. */
  receipt(): Promise<StoredReceipt | null>;
}

export interface RokClient {
  /**
   * `started` is false when a run of this `id` was there before, asked for with the same: it is the one you get.
   * @throws RokError id_conflict when it was asked for with something else
   */
  start(spec: StartSpec): Promise<{ readonly run: GovernedRunHandle; readonly started: boolean }>;
  /** By run id or workflow id. @throws RokError run_unknown for a run id that nobody has */
  get(name: string): Promise<GovernedRunHandle>;
  reader(): Promise<Reader>;
  /** For what this client does not offer. */
  readonly temporal: Client;
  close(): Promise<void>;
}

const POLL_MS = 250;

export const RokClient = {
  /**
   * Without `env`: by the process's environment, and where that names no server by what a running `npm start` left in
   * `.rok` of the present folder. PostgreSQL is connected when it is first needed.
   * @throws RokError config_invalid or temporal_unreachable
   */
  async connect(options: { readonly env?: NodeJS.ProcessEnv } = {}): Promise<RokClient> {
    try {
      const env = options.env ?? (await commandEnvironment(DATA_FOLDER));
      const temporal = await connectTemporal(temporalSettings(env));
      return clientOn(temporal.client, () => temporal.close(), env);
    } catch (error) {
      throw fromStartError(error);
    }
  },
};

function clientOn(client: Client, disconnect: () => Promise<void>, env: NodeJS.ProcessEnv): RokClient {
  let opened: Promise<Reader> | undefined;
  const reader = (): Promise<Reader> => {
    opened ??= openReader(env).catch((error: unknown) => {
      opened = undefined;
      throw fromStartError(error);
    });
    return opened;
  };
  return {
    temporal: client,
    reader,
    async start(spec) {
      const workflowId = workflowIdOf(named('tenant', spec.tenant), named('id', spec.id ?? randomUUID()));
      const actor = await claimOf(spec.actor, { workflowId, verb: 'start', updateId: '' });
      const whole: RunSpec = { ...spec, actor };
      // Temporal forgets closed workflows; the database does not.
      const before = spec.id !== undefined && (await isKnown(reader, workflowId));
      const started = !before && (await startWorkflow(client, workflowId, whole));
      if (!started) await sameAsFirst(client, workflowId, whole);
      return { run: handleOn(client, workflowId, reader), started };
    },
    async get(name) {
      if (!isRunId(name)) return handleOn(client, name, reader);
      const view = await (await reader()).run(name);
      if (view === null) throw new RokError('run_unknown', `no run \`${name}\``, 'list them with `rok run list`');
      return handleOn(client, view.workflowId, reader);
    },
    async close() {
      const open = await opened?.catch(() => undefined);
      await Promise.all([disconnect(), open?.close()]);
    },
  };
}

function handleOn(client: Client, workflowId: string, reader: () => Promise<Reader>): GovernedRunHandle {
  const handle = client.workflow.getHandle(workflowId);
  const status = async (): Promise<RunView | null> => (await reader()).run(workflowId);
  const steer = (verb: ActorVerb) => (act: Act) => update(client, handle, verb, act, {});
  const answer = (verb: 'approve' | 'reject') => async (act: AnswerAct) =>
    update(client, handle, verb, act, await held(act, workflowId, status));
  const self: GovernedRunHandle = {
    workflowId,
    status,
    watch: ({ signal, everyMs = POLL_MS } = {}) => changes(status, everyMs, signal),
    result: () => resultOf(handle, status),
    pause: steer('pause'),
    resume: ({ was, ...act }) => update(client, handle, 'resume', act, was === undefined ? {} : { was }),
    cancel: steer('cancel'),
    async kill(act) {
      const steered = await steer('kill')(act);
      await resultOf(handle, status);
      return steered;
    },
    approve: answer('approve'),
    reject: answer('reject'),
    raiseBudget: (act) => sendRaise(client, handle, act),
    finalize: (by, act) => sendFinalize(handle, by, act, reader),
    async answer() {
      const view = await status();
      return view === null ? null : (await reader()).answer(view.run);
    },
    async receipt() {
      const view = await status();
      return view === null ? null : (await reader()).receipt(view.run);
    },
  };
  return self;
}

type Held = Pick<Answer, 'hold' | 'digest'>;

async function held(act: AnswerAct, workflowId: string, status: () => Promise<RunView | null>): Promise<Held> {
  if (act.hold !== undefined && act.digest !== undefined) return { hold: act.hold, digest: act.digest };
  const pending = ((await status())?.holds ?? []).flatMap(({ hold, digest }) =>
    digest === null || (act.hold ?? hold) !== hold || (act.digest ?? digest) !== digest ? [] : [{ hold, digest }],
  );
  const [one, ...others] = pending;
  if (one !== undefined && others.length === 0) return one;
  throw new RokError(
    'hold_unknown',
    one === undefined
      ? `\`${workflowId}\` has no such pending hold`
      : `\`${workflowId}\` has ${pending.length} such pending holds: ${pending.map(({ hold }) => hold).join(', ')}`,
    one === undefined ? 'see what is pending with `rok approval list`' : 'say which by its number',
  );
}

async function update(
  client: Client,
  handle: WorkflowHandle,
  verb: ActorVerb,
  act: Act,
  about: Held | { readonly was?: Fate },
): Promise<ActorResponse> {
  const updateId = act.updateId ?? randomUUID();
  const purpose = {
    workflowId: handle.workflowId,
    verb,
    updateId,
    ...boundTo(about),
  };
  const message: ActorRequest = {
    actor: await claimOf(act.actor, purpose),
    ...(act.reason === undefined ? {} : { reason: act.reason }),
    ...about,
  };
  return say(client, handle, verb, message, updateId);
}

/** An answer is signed for as it is: which action, or what became of a call. */
function boundTo(about: Held | { readonly was?: Fate }): { readonly digest?: Digest } {
  if ('digest' in about) return { digest: about.digest };
  return about.was === undefined ? {} : { digest: fateDigest(about.was) };
}

async function* changes(
  status: () => Promise<RunView | null>,
  everyMs: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<RunView> {
  let last = '';
  while (signal?.aborted !== true) {
    const view = await status();
    if (view !== null) {
      const { asOf: _readAt, ...rest } = view;
      const now = JSON.stringify(rest);
      if (now !== last) yield view;
      last = now;
      if (isSettled(view)) return;
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

/** The workflow's own answer; where the workflow was ended from outside, what the database says once the run is repaired. */
async function resultOf(handle: WorkflowHandle, status: () => Promise<RunView | null>): Promise<RunResult> {
  try {
    return (await handle.result()) as RunResult;
  } catch (error) {
    const mapped = toRokError(error, handle.workflowId);
    if (mapped instanceof RokError) throw mapped;
    const first = await status();
    if (first === null)
      throw new RokError(
        'run_not_succeeded',
        `\`${handle.workflowId}\` ended before it was opened`,
        'look at it in the Temporal Web UI',
      );
    for await (const view of changes(status, POLL_MS, undefined)) if (isTerminal(view.phase)) return fromView(view);
    throw error;
  }
}

function fromView(view: RunView): RunResult {
  return {
    run: view.run,
    phase: view.phase,
    outcome: view.outcome ?? 'forced',
    detail: view.detail,
    verdict: view.verdict,
    receipt: view.receipt === null ? null : Number(view.receipt),
    decisions: view.decisions,
    refusedCalls: view.refusedCalls,
    attempts: view.attempts,
    spentMicros: view.spentMicros,
    traceEvents: view.traceEvents,
    answer: null,
  };
}
