/**
 * One local activity at a time. Two at once would each record a marker when they end, in whatever order; a replay resolves
 * them in the order they were asked, and what each makes the workflow do next would come in another order than recorded.
 * Those that are awaited together (a decision and the trace beside it) count as one.
 *
 * The run's own steps and what messages ask for wait apart and take turns: however many messages come, a step waits for one.
 *
 * Kept to few promises: the SDK notes the stack of every promise that a workflow makes.
 */
export class ActivityMutex {
  #busy = false;
  #steps: readonly (() => void)[] = [];
  #messages: readonly (() => void)[] = [];
  #lastWasMessage = false;

  /** Runs a step's `work` when it is its turn; of steps, in the order in which they asked. */
  runExclusive<T>(work: () => Promise<T>): Promise<T> {
    if (!this.#busy) return this.#run(work);
    return new Promise<void>((resolve) => {
      this.#steps = [...this.#steps, resolve];
    }).then(() => this.#run(work));
  }

  /** The same for what a message asks. */
  runExclusiveForMessage<T>(work: () => Promise<T>): Promise<T> {
    if (!this.#busy) return this.#run(work, true);
    return new Promise<void>((resolve) => {
      this.#messages = [...this.#messages, resolve];
    }).then(() => this.#run(work, true));
  }

  #run<T>(work: () => Promise<T>, forMessage = false): Promise<T> {
    this.#busy = true;
    this.#lastWasMessage = forMessage;
    const mine = work();
    mine.then(this.#next, this.#next);
    return mine;
  }

  readonly #next = (): void => {
    const stepFirst = this.#messages.length === 0 || (this.#lastWasMessage && this.#steps.length > 0);
    const [first, ...rest] = stepFirst ? this.#steps : this.#messages;
    if (stepFirst) this.#steps = rest;
    else this.#messages = rest;
    // Whoever is woken goes on as busy; nobody can take the turn in between.
    if (first === undefined) this.#busy = false;
    else first();
  };
}
