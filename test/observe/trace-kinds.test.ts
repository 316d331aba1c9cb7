/** docs/trace.md names every kind of event that the code knows, and no other. */
import { readFile } from 'node:fs/promises';
import { expect, it } from '@jest/globals';
import { TRACE_KINDS } from '../../src/domain/trace-event.js';

it('docs/trace.md and domain/trace-event.ts say the same', async () => {
  const page = await readFile(new URL('../../docs/trace.md', import.meta.url), 'utf8');
  const documented = [...page.matchAll(/^\| `([a-z]+\.[a-z_]+)` \| ([^|]+) \|/gm)].map(([, kind, says]) => [
    kind,
    says?.trim(),
  ]);
  expect(Object.fromEntries(documented)).toEqual(TRACE_KINDS);
  expect(documented.length).toBe(Object.keys(TRACE_KINDS).length);
});
