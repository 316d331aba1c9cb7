import { describe, expect, it } from '@jest/globals';
import { EXIT_CODES } from '../../src/cli/output/exit-codes.js';
import { page, rowsUnder } from './tables.js';

describe('docs/cli.md', () => {
  it('lists the exit codes as `rok help exit-codes` does', async () => {
    const rows = rowsUnder(await page('cli.md'), '## Exit codes', /^\d+$/);
    expect(Object.fromEntries(rows)).toEqual(EXIT_CODES);
  });
});
