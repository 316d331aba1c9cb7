import { describe, expect, it } from '@jest/globals';
import { createBatcher } from '../../src/domain/batching.js';

type Late = { readonly afterMs: number; readonly atMost: number };
type Item = { readonly name: string; readonly key?: string; readonly weight?: number };

/** Sends nothing until it is let go. */
function gate(given: {
  readonly batches: number;
  readonly items: number;
  readonly late?: Late;
  readonly deadlineMs?: number;
}) {
  const bounds = { late: { afterMs: 60_000, atMost: 9 }, deadlineMs: 60_000, ...given };
  const sent: string[][] = [];
  const givenUp: string[] = [];
  const waiting: (() => void)[] = [];
  const ask = createBatcher<Item, string>(
    {
      ...bounds,
      keyOf: ({ name, key }) => key ?? name,
      weight: { of: ({ weight }) => weight ?? 1, atMost: 10 },
    },
    async (items, signal) => {
      sent.push(items.map(({ name }) => name));
      signal.addEventListener('abort', () => givenUp.push(...items.map(({ name }) => name)));
      await new Promise<void>((go) => waiting.push(go));
      if (items.some(({ name }) => name === 'thrown')) throw new Error('spoiled');
      return items.map(({ name }) => (name === 'bad' ? Promise.reject(new Error('bad')) : `${name}!`));
    },
  );
  const letGo = async (): Promise<void> => {
    waiting.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { ask, sent, letGo, givenUp };
}

describe('a batcher', () => {
  it('sends at once what comes alone, and together what came meanwhile, in order and within the bounds', async () => {
    const { ask, sent, letGo } = gate({ batches: 1, items: 3 });
    const answers = Promise.all(['a', 'b', 'c', 'd', 'e'].map((name) => ask({ name })));
    expect(sent).toEqual([['a']]);
    await letGo();
    expect(sent).toEqual([['a'], ['b', 'c', 'd']]);
    await letGo();
    await letGo();
    expect(sent).toEqual([['a'], ['b', 'c', 'd'], ['e']]);
    expect(await answers).toEqual(['a!', 'b!', 'c!', 'd!', 'e!']);
  });

  it('has as many under way as it may, no two of one key in one batch, and nothing too heavy beside another', async () => {
    const { ask, sent, letGo } = gate({ batches: 2, items: 9 });
    const items = [
      { name: 'a' },
      { name: 'b' },
      { name: 'c', key: 'k' },
      { name: 'd', key: 'k' },
      { name: 'e', weight: 99 },
      { name: 'f', weight: 6 },
      { name: 'g', weight: 6 },
    ];
    const answers = Promise.all(items.map(ask));
    expect(sent).toEqual([['a'], ['b']]);
    for (let at = 0; at < 7; at += 1) await letGo();
    expect(sent).toEqual([['a'], ['b'], ['c'], ['d'], ['e'], ['f'], ['g']]);
    expect(await answers).toHaveLength(7);
  });

  it('tells each its own end, and all where the sending failed; what comes next is sent all the same', async () => {
    const { ask, letGo } = gate({ batches: 1, items: 9 });
    const ends = Promise.allSettled(['a', 'bad', 'b'].map((name) => ask({ name })));
    await letGo();
    await letGo();
    expect((await ends).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    const spoiled = Promise.allSettled(['x', 'thrown', 'y'].map((name) => ask({ name })));
    await letGo();
    await letGo();
    expect((await spoiled).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
    const after = ask({ name: 'z' });
    await letGo();
    expect(await after).toBe('z!');
  });

  it('leaves a batch behind that is late, but not more than so many', async () => {
    const { ask, sent, letGo } = gate({ batches: 1, items: 1, late: { afterMs: 20, atMost: 3 } });
    const answers = Promise.all(['a', 'b', 'c', 'd'].map((name) => ask({ name })));
    expect(sent).toEqual([['a']]);
    while (sent.length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(sent).toEqual([['a'], ['b'], ['c']]);
    // Timers of one length fire in the order in which they were set: this one after that of the third batch.
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(sent).toHaveLength(3);
    await letGo();
    expect(sent).toEqual([['a'], ['b'], ['c'], ['d']]);
    for (let at = 0; at < 3; at += 1) await letGo();
    expect(await answers).toEqual(['a!', 'b!', 'c!', 'd!']);
  });

  it('gives up what is not answered by its deadline, says so to whoever sends, and goes on', async () => {
    const { ask, sent, givenUp } = gate({ batches: 1, items: 9, deadlineMs: 30 });
    const stuck = ask({ name: 'stuck' });
    const next = ask({ name: 'next' });
    await expect(stuck).rejects.toThrow('not answered within 30 ms');
    expect(givenUp).toEqual(['stuck']);
    await expect(next).rejects.toThrow('not answered within 30 ms');
    expect(sent).toEqual([['stuck'], ['next']]);
  });
});
