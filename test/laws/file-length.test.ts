/**
 * Style is a law as the others are: it is tested, and each rule has its planted offender.
 */
import { describe, expect, it } from '@jest/globals';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { repository } from './cruise.js';
import {
  maxLines,
  maxMedianLines,
  maxSqlFunctionLines,
  medianLines,
  sqlFunctions,
  styleFindings,
  type SourceText,
  type StyleRule,
} from './house-style.js';

const folders = ['src', 'sql', 'scripts', 'test', 'bench', 'chaos', 'examples', '.ci'];
// Recorded and hand-made inputs are data, not code.
const data = /^test\/(golden|histories|fixtures)\/|\/fixtures\/|\.(json|md|gguf|csv)$/;

async function sources(): Promise<readonly SourceText[]> {
  const found = await Promise.all(folders.map(filesUnder));
  const paths = found.flat().filter((path) => !data.test(path));
  return Promise.all(paths.map(async (path) => ({ path, text: await readFile(join(repository, path), 'utf8') })));
}

async function filesUnder(folder: string): Promise<readonly string[]> {
  const entries = await readdir(join(repository, folder), { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(repository, join(entry.parentPath, entry.name)).split(sep).join('/'));
}

describe('the house style', () => {
  it('is kept by every file', async () => {
    const all = await sources();
    expect(all.flatMap(styleFindings)).toEqual([]);
    expect(all.length).toBeGreaterThan(60);
  });

  it(`keeps half of src/ at ${maxMedianLines} lines or fewer`, async () => {
    const ours = (await sources()).filter(({ path }) => path.startsWith('src/'));
    expect(medianLines(ours)).toBeLessThanOrEqual(maxMedianLines);
    expect(medianLines(ours)).toBeGreaterThan(0);
  });

  it('counts the line in the middle', () => {
    const lengths = [3, 500, 121].map((lines) => ({ path: 'src/a.ts', text: 'x\n'.repeat(lines) }));
    expect(medianLines(lengths)).toBe(121);
  });
});

describe('a planted offender', () => {
  const header = '/** What it is. */\n';
  const sqlFunction = (lines: number) =>
    `CREATE OR REPLACE FUNCTION decide.a() RETURNS integer\nLANGUAGE sql AS $$\n${'  SELECT 1;\n'.repeat(lines - 3)}$$;\n`;
  const planted: readonly { readonly rule: StyleRule; readonly source: SourceText }[] = [
    { rule: 'too-long', source: { path: 'src/decide/a.ts', text: header + 'x;\n'.repeat(maxLines) } },
    {
      rule: 'sql-function-too-long',
      source: { path: 'sql/repeatable/decide/0507_a.sql', text: sqlFunction(maxSqlFunctionLines + 1) },
    },
    { rule: 'not-kebab-case', source: { path: 'src/decide/policyChecker.ts', text: header } },
    { rule: 'name-says-nothing', source: { path: 'src/decide/ledger-utils.ts', text: header } },
    { rule: 'no-header', source: { path: 'src/decide/ledger/ledger.ts', text: 'export const a = 1;\n' } },
    { rule: 'promise', source: { path: 'sql/decide/0001_runs.sql', text: '-- TO' + 'DO: index\n' } },
    { rule: 'switched-off', source: { path: 'test/a.test.ts', text: '// @ts-' + 'ignore\n' } },
  ];

  it.each(planted)('is found: $rule', ({ rule, source }) => {
    expect(styleFindings(source).map((finding) => ({ rule: finding.rule, path: finding.path }))).toEqual([
      { rule, path: source.path },
    ]);
  });

  it(`is not a file of exactly ${maxLines} lines with a header`, () => {
    expect(styleFindings({ path: 'src/decide/a.ts', text: header + 'x;\n'.repeat(maxLines - 1) })).toEqual([]);
  });

  it(`is not an SQL function of exactly ${maxSqlFunctionLines} lines, beside others and anonymous blocks`, () => {
    const text = `${sqlFunction(maxSqlFunctionLines)}DO $body$ BEGIN\n  PERFORM $$1$$;\nEND $body$;\n${sqlFunction(4)}`;
    expect(styleFindings({ path: 'sql/repeatable/decide/0507_a.sql', text })).toEqual([]);
    expect(sqlFunctions(text)).toEqual([
      { name: 'decide.a', lines: maxSqlFunctionLines },
      { name: 'DO', lines: 3 },
      { name: 'decide.a', lines: 4 },
    ]);
  });
});
