import { describe, expect, it } from '@jest/globals';
import { HOLD_REASONS, REASON_CODES } from '../../src/domain/decision.js';
import { page, rowsUnder } from './tables.js';

describe('docs/reasons.md', () => {
  it('names every code of a reason, in their order, and no other; and says who can lift it', async () => {
    const rows = rowsUnder(await page('reasons.md'), '# Reasons', /^[a-z]+_?[a-z_]*$/).filter(
      ([code]) => code !== 'code',
    );
    expect(rows.map(([code]) => code)).toEqual(REASON_CODES);
    expect(rows.filter((cells) => cells.length !== 4 || cells.some((cell) => cell === ''))).toEqual([]);
  });

  it('names every reason of a hold, and no other', async () => {
    const rows = rowsUnder(await page('reasons.md'), '## Holds', /^[A-Z]/);
    const named = rows.flatMap(([reasons]) => (reasons ?? '').split(', '));
    expect([...named].sort()).toEqual([...HOLD_REASONS].sort());
  });
});
