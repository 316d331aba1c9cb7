/** The paths that documents and comments name, in full or shortened from the front: each is a file of the repository. */
import { expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { repository } from '../laws/cruise.js';

const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: repository,
  encoding: 'utf8',
})
  .split('\n')
  .filter((path) => path !== '');

// Decision records speak of the files of their day.
const documents = tracked.filter((path) => path.endsWith('.md') && !path.startsWith('docs/decisions/'));

/** What a document writes as code and looks like a file of ours; not what a user would write in a project of their own. */
export function pathsIn(text: string): readonly string[] {
  return [...text.matchAll(/`(?:\.\/)?((?:[\w-]+\/)*[\w.-]+\.(?:ts|mjs|cjs|sql|py))`/g)].map(([, path = '']) => path);
}

export const namesAFile = (path: string, files: readonly string[]): boolean =>
  files.some((file) => file === path || file.endsWith(`/${path}`));

it('given a document, every path in it is a file', () => {
  const lost = documents.flatMap((document) =>
    pathsIn(readFileSync(`${repository}/${document}`, 'utf8'))
      .filter((path) => !namesAFile(path, tracked))
      .map((path) => `${document}: ${path}`),
  );
  expect(lost).toEqual([]);
});

/** Names of TypeScript and SQL files in block comments, without back-ticks too; a placeholder in capitals is no name. */
export function pathsInComments(source: string): readonly string[] {
  const comments = [...source.matchAll(/\/\*\*[^]*?\*\//g)].map(([comment]) => comment);
  const named = comments.flatMap((comment) => [
    ...comment.matchAll(/(?<![\w./<{*-])((?:[\w-]+\/)*[\w-]+(?:\.[\w-]+)*\.(?:ts|sql))\b/g),
  ]);
  return named.map(([, path = '']) => path).filter((path) => !path.includes('NNNN_'));
}

it('given a comment in src/, every file that it names is there', () => {
  const sources = tracked.filter((path) => path.startsWith('src/') && path.endsWith('.ts'));
  const lost = sources.flatMap((source) =>
    pathsInComments(readFileSync(`${repository}/${source}`, 'utf8'))
      .filter((path) => !namesAFile(path, tracked))
      .map((path) => `${source}: ${path}`),
  );
  expect(lost).toEqual([]);
});

it('given a comment that names a file of before, it is found', () => {
  const source =
    '/** One at a time (turn.ts), by sql/audit/0624_ruling.sql; never NNNN_name.sql. */\nimport "./gone.ts";';
  expect(pathsInComments(source)).toEqual(['turn.ts', 'sql/audit/0624_ruling.sql']);
});

it('given a path that leads nowhere, it is found', () => {
  expect(pathsIn('see `decide/ledger/ledger.ts` and `nowhere/gone.ts`, `0101_tenants.sql`')).toEqual([
    'decide/ledger/ledger.ts',
    'nowhere/gone.ts',
    '0101_tenants.sql',
  ]);
  expect(namesAFile('nowhere/gone.ts', ['src/nowhere/gone.tsx', 'src/else/gone.ts'])).toBe(false);
  expect(namesAFile('else/gone.ts', ['src/else/gone.ts'])).toBe(true);
});
