/**
 * The state of one governed run inside its workflow: it numbers steps, asks for decisions, waits for holds and keeps
 * the trace.
 */
import { CancellationScope, sleep } from '@temporalio/workflow';
import type { ContextRef } from '../../domain/context.js';
import { NO_CONTEXT } from '../../domain/context.js';
import type { Grant, Reason, Ruling } from '../../domain/decision.js';
import type { Digest, RunId } from '../../domain/ids.js';
import { actionDigest, type Intent } from '../../domain/intent.js';
import type { Json } from '../../domain/json.js';
import type { Outcome, Phase } from '../../domain/phases.js';
import type { Opened, SaidFate, StepAnswer } from '../../domain/protocol/decide.js';
import type { StepResult } from '../../domain/protocol/execute.js';
import { PROFILE_RULES } from '../../domain/profiles.js';
import type { VerdictStatus } from '../../domain/verdict.js';
import { control, decide } from '../activity-proxies.js';
import { endingOf, RunEnded, type Ending } from './ending.js';
import { Holding } from './holds.js';
import type { RunStatus } from '../messages/messages.js';
import { showDetails } from './temporal-display.js';
import { TraceBuffer } from './trace-buffer.js';
import { ActivityMutex } from '../activity-mutex.js';

/** What a step wants, before it has a number. */
export type Draft = Omit<Intent, 'step' | 'attempt'>;
export type Permit = { readonly intent: Intent; readonly actionDigest: Digest; readonly grant: Grant };
export type Permitted =
  | { readonly allowed: true; readonly permit: Permit }
  | { readonly allowed: false; readonly step: number; readonly reasons: readonly Reason[] };
export type Asking = {
  readonly draft: Draft;
  readonly step: number;
  readonly attempt: number;
  readonly turn: number;
  readonly context?: ContextRef;
  readonly arguments?: Json;
  readonly argumentsSalt?: string;
  /** When the trace has a decision, whatever it is. */
  readonly onNoted?: () => void;
  /** When there is a decision that does not end the run: also where it holds the step. */
  readonly onDecided?: () => void;
};

export class GovernedRun {
  /** Every local activity while the run is open goes through here. */
  readonly mutex = new ActivityMutex();
  readonly trace: TraceBuffer;
  readonly holding: Holding;
  /** By hold for UNKNOWN_RESULT: what who looked says of the call. */
  readonly fates = new Map<number, SaidFate>();
  /** The body runs in here; ending the run cancels it. */
  readonly scope = new CancellationScope();
  ending: Ending | null = null;
  closing = false;
  /** Set anew when a hold ended: the deadline may be nearer than the timer. */
  deadlineInMs: number;
  deadlineMoved = 0;
  /** Of the run itself; a raise moves it. */
  capMicros: string;
  #phase: Phase;
  #outcome: Outcome | null = null;
  #verdict: VerdictStatus | null = null;
  #steps = 0;
  #turns = 0;
  #spent = '0';

  constructor(readonly opened: Opened) {
    this.trace = new TraceBuffer(opened.run);
    this.holding = new Holding(this);
    this.#phase = opened.phase;
    this.deadlineInMs = opened.remainingMs;
    this.capMicros = opened.capMicros;
  }

  get run(): RunId {
    return this.opened.run;
  }
  get steps(): number {
    return this.#steps;
  }
  get status(): RunStatus {
    return {
      run: this.run,
      phase: this.#phase,
      outcome: this.#outcome,
      verdict: this.#verdict,
      step: this.#steps,
      spentMicros: this.#spent,
      capMicros: this.capMicros,
      holds: this.holding.open,
    };
  }

  begin(): void {
    const { opened } = this;
    this.trace.note('run.created', 'run.created', {
      workflow: 'governed',
      spec: opened.specDigest,
      contract: opened.contractDigest,
      profile: opened.profile,
      agent: opened.agentDigest ?? '',
    });
    if (opened.ruling.effect === 'allow') this.trace.note('run.authorized', 'run.authorized', {});
    if (opened.ruling.effect === 'deny')
      this.trace.note('step.decided', '0.1.decided', {
        effect: 'deny',
        kind: 'run.start',
        reasons: opened.ruling.reasons.map((reason) => `${reason.code}: ${reason.text}`),
      });
    this.refresh();
  }

  /** Ends the run from outside its body. The first ending stands. */
  end(ending: Ending): void {
    if (this.ending !== null || this.closing) return;
    this.ending = ending;
    this.scope.cancel();
  }

  /** The deadline is this far away now; the timer is set again. */
  deadlineIs(inMs: number): void {
    this.deadlineInMs = inMs;
    this.deadlineMoved += 1;
  }

  moved(to: {
    readonly phase: Phase;
    readonly outcome?: Outcome;
    readonly verdict?: VerdictStatus | null;
    readonly spentMicros?: string;
  }): void {
    this.#phase = to.phase;
    this.#outcome = to.outcome ?? this.#outcome;
    this.#verdict = to.verdict ?? this.#verdict;
    this.#spent = to.spentMicros ?? this.#spent;
    this.refresh();
  }

  refresh(): void {
    showDetails(this.opened, this.status);
  }

  nextTurn(): number {
    this.#turns += 1;
    return this.#turns;
  }
  nextStep(): number {
    this.#steps += 1;
    return this.#steps;
  }

  /** Asks until the answer is an allow or a denial the caller can live with; a final denial ends the run. */
  async permit(asking: Asking): Promise<Permitted> {
    const { step, turn } = asking;
    let { draft, attempt } = asking;
    for (;;) {
      if (this.holding.paused) await this.holding.untilGoingOn(step);
      const intent: Intent = { step, attempt, ...draft };
      const answer = await this.#ask(intent, turn, asking);
      if (answer === null) continue;
      if (answer.kind === 'conflict') attempt = answer.nextAttempt;
      else if (answer.kind === 'closed')
        throw new RunEnded({ outcome: answer.outcome ?? 'forced', detail: 'the run admits nothing more' });
      else {
        const { ruling } = answer;
        this.#noteDecided(intent, answer);
        asking.onNoted?.();
        if (ruling.effect === 'deny' && ruling.final) throw new RunEnded(endingOf(ruling.reasons, false));
        asking.onDecided?.();
        if (ruling.effect === 'allow')
          return { allowed: true, permit: { intent, actionDigest: answer.actionDigest, grant: ruling.grant } };
        if (ruling.effect === 'deny') {
          if (ruling.retryAfterMs !== undefined)
            await sleep(ruling.retryAfterMs, { summary: `rate limit: ${intent.kind} ${intent.target}` });
          else if (ruling.suggest === undefined) return { allowed: false, step, reasons: ruling.reasons };
          else draft = { ...draft, target: ruling.suggest.model };
        } else {
          const what = `${intent.kind} ${intent.target}: ${ruling.reasons.map((reason) => reason.text).join('; ')}`;
          await this.holding.held({
            hold: answer.hold ?? 0,
            step,
            attempt,
            terms: ruling.hold,
            remainingMs: Date.parse(ruling.hold.until) - Date.now(),
            digest: answer.actionDigest,
            what,
          });
        }
        attempt += 1;
      }
    }
  }

  /** Null when a pause was asked for while this waited for its turn. The trace goes with the next decision; both must be back before the step begins, where the profile says so. */
  #ask(intent: Intent, turn: number, asking: Asking): Promise<StepAnswer | null> {
    const step = {
      run: this.run,
      intent,
      turn,
      ...(asking.context === undefined ? {} : { context: asking.context }),
      ...(asking.arguments === undefined ? {} : { arguments: asking.arguments }),
      ...(asking.argumentsSalt === undefined ? {} : { argumentsSalt: asking.argumentsSalt }),
    };
    return this.mutex.runExclusive(async () => {
      if (this.holding.paused) return null;
      await this.trace.leaveOnePortion(this.#traceFirst);
      const { waiting } = this.trace;
      if (waiting.length === 0) return decide['decide.step'](step);
      const trace = { run: this.run, events: waiting };
      const { answer, head } = await control['control.decideAndAppend']({ step, trace, traceFirst: this.#traceFirst });
      if (head !== null) this.trace.kept(waiting.length, head);
      return answer;
    });
  }

  get #traceFirst(): boolean {
    return PROFILE_RULES[this.opened.profile].traceFirst;
  }

  #noteDecided(intent: Intent, answer: Extract<StepAnswer, { kind: 'decided' }>): void {
    const { ruling } = answer;
    this.#phase = this.#phase === 'AUTHORIZED' && ruling.effect === 'allow' ? 'EXECUTING' : this.#phase;
    this.#spent = answer.spentMicros;
    this.trace.note('step.decided', `${intent.step}.${intent.attempt}.decided`, {
      effect: ruling.effect,
      kind: intent.kind,
      target: intent.target,
      action: answer.actionDigest,
      snapshot: answer.digests.snapshotDigest,
      policy_set: answer.digests.policySetDigest,
      price_table: answer.digests.priceTableDigest,
      determining: answer.determining,
      ...(ruling.effect === 'allow'
        ? {}
        : { reasons: ruling.reasons.map((reason) => `${reason.code}: ${reason.text}`) }),
      ...(answer.notices.length === 0 ? {} : { notices: answer.notices }),
    });
    this.refresh();
  }

  executed(intent: Intent, result: StepResult): void {
    this.trace.note('step.executed', `${intent.step}.${intent.attempt}.executed`, {
      status: result.result.status,
      result: result.resultDigest ?? '',
      ...(result.result.status === 'succeeded' ? { content: result.result.contentDigest } : {}),
      ...(result.result.status === 'failed' ? { code: result.result.code } : {}),
    });
  }

  /** `run.start` was held: after the hold it is decided again. */
  async startAfterHold(ruling: Extract<Ruling, { effect: 'pause' }>): Promise<void> {
    const draft: Draft = {
      kind: 'run.start',
      target: this.opened.agent,
      argumentsDigest: this.opened.specDigest,
      contextDigest: NO_CONTEXT,
    };
    await this.holding.held({
      hold: 1,
      step: 0,
      attempt: 1,
      terms: ruling.hold,
      remainingMs: Date.parse(ruling.hold.until) - Date.now(),
      digest: actionDigest(draft),
      what: `start of ${this.opened.agent}`,
    });
    const again = await this.permit({ draft, step: 0, attempt: 2, turn: 0 });
    if (!again.allowed) throw new RunEnded(endingOf(again.reasons, true));
    this.#phase = 'AUTHORIZED';
    this.trace.note('run.authorized', 'run.authorized', {});
  }

  /** What is noted is kept now: where the profile says so, nothing goes on before. */
  keepTrace(): Promise<void> {
    return this.mutex.runExclusive(() => (this.#traceFirst ? this.trace.flush() : this.trace.flushOnce()));
  }
}
