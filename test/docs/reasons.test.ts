import { describe, expect, it } from '@jest/globals';
import { CALL_REFUSALS } from '../../src/domain/call-refusal.js';
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

  it('names every reason why a call is refused before a decision, and no other, in the words of the code', async () => {
    const rows = rowsUnder(await page('reasons.md'), '## Calls refused before a decision', /^[a-z]+_[a-z_]+$/);
    expect(Object.fromEntries(rows.map(([code, says]) => [code, says]))).toEqual(CALL_REFUSALS);
  });

  it('names every reason of a hold, and no other', async () => {
    const rows = rowsUnder(await page('reasons.md'), '## Holds', /^[A-Z]/);
    const named = rows.flatMap(([reasons]) => (reasons ?? '').split(', '));
    expect([...named].sort()).toEqual([...HOLD_REASONS].sort());
  });
});
