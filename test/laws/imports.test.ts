/**
 * The import laws: the real tree keeps them, and each rule refuses its planted offender by name.
 */
import { beforeAll, describe, expect, it } from '@jest/globals';
import { createRequire } from 'node:module';
import { z } from 'zod';
import { cruisePlanted, cruiseTree, repository, type Refusal } from './cruise.js';
import { allowed, plantedOffenders, type Tree } from './planted-offenders.js';

const { forbidden } = z
  .object({ forbidden: z.array(z.object({ name: z.string(), comment: z.string() })) })
  .parse(createRequire(import.meta.url)('../../.dependency-cruiser.cjs'));

describe('the import laws', () => {
  it('are kept by the sources', async () => {
    const { modules, refusals } = await cruiseTree(repository);
    expect(refusals).toEqual([]);
    expect(modules).toBeGreaterThan(20);
  });

  it('refuse nothing of what stands beside them and is allowed', async () => {
    const { modules, refusals } = await cruisePlanted(allowed);
    expect(refusals).toEqual([]);
    expect(modules).toBeGreaterThanOrEqual(Object.keys(allowed).length);
  });

  it('each have a planted offender, and a comment that says what to do instead', () => {
    expect(new Set(plantedOffenders.map(({ rule }) => rule))).toEqual(new Set(forbidden.map(({ name }) => name)));
    expect(forbidden.filter(({ comment }) => comment.length < 40)).toEqual([]);
  });
});

describe('a planted offender', () => {
  let refusals: readonly Refusal[] = [];

  // One tree for all: an offender that two rules refuse, or an overwritten one, shows as a difference.
  beforeAll(async () => {
    const trees = plantedOffenders.map(({ tree }) => tree);
    ({ refusals } = await cruisePlanted(Object.assign({}, ...trees) as Tree));
  });

  it.each(forbidden.map(({ name }) => name))('is refused by %s', (name) => {
    const planted = plantedOffenders.filter(({ rule }) => rule === name).flatMap(({ refused }) => refused);
    expect(
      refusals
        .filter(({ rule }) => rule === name)
        .map(({ edge }) => edge)
        .sort(),
    ).toEqual(planted.sort());
  });
});
