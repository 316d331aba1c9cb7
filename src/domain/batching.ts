/**
 * A batcher without delay: items that arrive while a batch is in flight form the next one, which shares one
 * transaction, one commit and one wait for a lock. An item never waits for others to arrive, so a lone item is sent at
 * once. No item waits behind a stuck batch: a batch that is late stops counting as in flight, and one that exceeds its
 * time limit fails. Deliberately knows nothing of what it sends.
 */

export type BatchBounds<Item> = {
  /** Batches in flight at once, not counting those that are late. */
  readonly batches: number;
  /** After how long a batch is late, and how many may be in flight with all that are. */
  readonly late: { readonly afterMs: number; readonly atMost: number };
  /** After how long a batch is given up, and its place is another's. */
  readonly deadlineMs: number;
  readonly items: number;
  /** Items that may not be in one batch have the same. */
  readonly keyOf?: (item: Item) => string;
  /** Weights of a batch's items together; a single one may weigh more. */
  readonly weight?: { readonly of: (item: Item) => number; readonly atMost: number };
};

type Waiting<Item, Answer> = {
  readonly item: Item;
  readonly answered: (answer: Answer | PromiseLike<Answer>) => void;
  readonly failed: (error: unknown) => void;
};

type Send<Item, Answer> = (
  items: readonly Item[],
  signal: AbortSignal,
) => Promise<readonly (Answer | PromiseLike<Answer>)[]>;

/** @param send answers each item, in their order, now or later; what it throws, all are told. Its signal aborts at the deadline */
export function createBatcher<Item, Answer>(
  bounds: BatchBounds<Item>,
  send: Send<Item, Answer>,
): (item: Item) => Promise<Answer> {
  const waiting: Waiting<Item, Answer>[] = [];
  let inTime = 0;
  let underWay = 0;
  const next = (): void => {
    while (inTime < bounds.batches && underWay < bounds.late.atMost && waiting.length > 0) begin();
  };
  const begin = (): void => {
    let isLate = false;
    const stopCounting = (): void => {
      if (isLate) return;
      isLate = true;
      inTime -= 1;
    };
    const late = setTimeout(() => {
      stopCounting();
      next();
    }, bounds.late.afterMs);
    inTime += 1;
    underWay += 1;
    void deliver(takeBatch(waiting, bounds), send, bounds.deadlineMs).finally(() => {
      clearTimeout(late);
      stopCounting();
      underWay -= 1;
      next();
    });
  };
  return (item) =>
    new Promise((answered, failed) => {
      waiting.push({ item, answered, failed });
      next();
    });
}

/** In the order in which they came; what does not fit stays for the next. Never empty. */
function takeBatch<Item, Answer>(
  waiting: Waiting<Item, Answer>[],
  { items, keyOf, weight }: BatchBounds<Item>,
): readonly Waiting<Item, Answer>[] {
  const keys = new Set<string>();
  let weighs = 0;
  let at = 0;
  for (; at < waiting.length && at < items; at += 1) {
    const item = waiting[at]?.item as Item;
    const key = keyOf?.(item);
    if (key !== undefined && keys.has(key)) break;
    weighs += weight?.of(item) ?? 0;
    if (at > 0 && weight !== undefined && weighs > weight.atMost) break;
    if (key !== undefined) keys.add(key);
  }
  return waiting.splice(0, at);
}

async function deliver<Item, Answer>(
  batch: readonly Waiting<Item, Answer>[],
  send: Send<Item, Answer>,
  deadlineMs: number,
): Promise<void> {
  const givingUp = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const error = new Error(`a batch was not answered within ${deadlineMs} ms`);
      givingUp.abort(error);
      reject(error);
    }, deadlineMs);
  });
  try {
    const sending = send(
      batch.map(({ item }) => item),
      givingUp.signal,
    );
    const answers = await Promise.race([sending, over]);
    if (answers.length !== batch.length) throw new Error('not every item of a batch was answered');
    for (const [at, one] of batch.entries()) one.answered(answers[at] as Answer | PromiseLike<Answer>);
  } catch (error) {
    for (const one of batch) one.failed(error);
  } finally {
    clearTimeout(timer);
  }
}
