/**
 * A cache that asks Cedar early, while the database still reads. A check with exactly the same request takes the cached
 * answer, once; any other asks Cedar. The cache changes when an answer is computed, never the answer.
 */
import type { CedarAnswer, CedarRequest, CedarSet } from './prepared-set.js';

/** One for each step that is under way; what no check came for goes first. */
const KEPT = 16;

export type WarmedCedar = Pick<CedarSet, 'ask'> & { warm(request: CedarRequest): void };

export function warmedCedar(set: CedarSet): WarmedCedar {
  const ahead = new Map<string, CedarAnswer>();
  return {
    warm(request) {
      ahead.set(JSON.stringify(request), set.ask(request));
      for (const oldest of ahead.keys()) {
        if (ahead.size <= KEPT) break;
        ahead.delete(oldest);
      }
    },
    ask(request) {
      if (ahead.size === 0) return set.ask(request);
      const key = JSON.stringify(request);
      const known = ahead.get(key);
      ahead.delete(key);
      return known ?? set.ask(request);
    },
  };
}
