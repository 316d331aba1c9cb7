/**
 * One local activity at a time. Two at once would each record a marker when they end, in whatever order; a replay resolves
 * them in the order they were asked, and what each makes the workflow do next would come in another order than recorded.
 * Those that are awaited together (a decision and the trace beside it) count as one.
 *
 * Kept to few promises: the SDK notes the stack of every promise that a workflow makes.
 */
export class Turn {
  #busy = false;
  #waiting: readonly (() => void)[] = [];

  /** Runs `work` when all before it have ended, however they ended. */
  take<T>(work: () => Promise<T>): Promise<T> {
    if (!this.#busy) return this.#run(work);
    return new Promise<void>((resolve) => {
      this.#waiting = [...this.#waiting, resolve];
    }).then(() => this.#run(work));
  }

  #run<T>(work: () => Promise<T>): Promise<T> {
    this.#busy = true;
    const mine = work();
    mine.then(this.#next, this.#next);
    return mine;
  }

  readonly #next = (): void => {
    const [first, ...rest] = this.#waiting;
    this.#waiting = rest;
    // Whoever waited longest is woken and goes on as busy; nobody can take the turn in between.
    if (first === undefined) this.#busy = false;
    else first();
  };
}
