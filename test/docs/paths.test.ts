/** The paths that the documents name, in full or shortened from the front: each is a file of the repository. */
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

it('given a path that leads nowhere, it is found', () => {
  expect(pathsIn('see `decide/ledger/ledger.ts` and `nowhere/gone.ts`, `0101_tenants.sql`')).toEqual([
    'decide/ledger/ledger.ts',
    'nowhere/gone.ts',
    '0101_tenants.sql',
  ]);
  expect(namesAFile('nowhere/gone.ts', ['src/nowhere/gone.tsx', 'src/else/gone.ts'])).toBe(false);
  expect(namesAFile('else/gone.ts', ['src/else/gone.ts'])).toBe(true);
});
