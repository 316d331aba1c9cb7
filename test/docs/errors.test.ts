import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { ERRORS } from '../../src/domain/errors.js';
import { page, rowsUnder } from './tables.js';

const CODE = /^[a-z]+(_[a-z]+)*$/;
const HEAD = 'code';

const documented = async (heading: string) =>
  rowsUnder(await page('errors.md'), heading, CODE).filter(([code]) => code !== HEAD);

/** Every code of a StartError, with its exit code, as the sources of platform/ write them. */
async function startErrors(): Promise<Readonly<Record<string, number>>> {
  const folder = fileURLToPath(new URL('../../src/platform', import.meta.url));
  const files = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.ts'));
  const texts = await Promise.all(files.map((name) => readFile(join(folder, name), 'utf8')));
  // Messages hold braces of their own: from one `code:` of a StartError to the first `exitCode:` after it.
  const found = texts.flatMap((text) =>
    text
      .split('new StartError({')
      .slice(1)
      .map((fields) => ({
        code: /^\s*code: '([a-z_]+)'/.exec(fields)?.[1],
        exit: Number(/\bexitCode: (\d+)/.exec(fields)?.[1]),
      })),
  );
  return Object.fromEntries(found.flatMap(({ code, exit }) => (code === undefined ? [] : [[code, exit]])));
}

describe('docs/errors.md', () => {
  it('names every code of domain/errors.ts with its exit code and meaning, in their order, and no other', async () => {
    const rows = await documented('## Codes');
    expect(rows.map(([code, exit, says]) => [code, Number(exit), says])).toEqual(
      Object.entries(ERRORS).map(([code, { exit, says }]) => [code, exit, says]),
    );
  });

  it('says for each what to do', async () => {
    const rows = [...(await documented('## Codes')), ...(await documented('## Errors of a start'))];
    expect(rows.filter((cells) => cells.length !== 4 || (cells[3] ?? '').length < 5)).toEqual([]);
  });

  it('names every other code that a start can end with, and no other', async () => {
    const raised = Object.entries(await startErrors()).filter(([code]) => !(code in ERRORS));
    expect(raised.length).toBeGreaterThan(5);
    const rows = await documented('## Errors of a start');
    expect(Object.fromEntries(rows.map(([code, exit]) => [code, Number(exit)]))).toEqual(Object.fromEntries(raised));
  });
});
