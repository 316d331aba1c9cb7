import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from '@jest/globals';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Sources, tests and migrations that a page names in code marks; a name without a folder is prose. */
const namedFiles = (text: string): readonly string[] =>
  [...text.matchAll(/`((?:src|test|sql|examples|agents|policies|ops|scripts)\/[A-Za-z0-9_./-]+)`/g)].map(
    ([, path]) => path ?? '',
  );
const linkedFiles = (text: string): readonly string[] =>
  [...text.matchAll(/\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g)].map(([, path]) => path ?? '');

it('every link and every file that the documents name is there', async () => {
  const pages = (await readdir(join(root, 'docs'), { recursive: true }))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name));
  const missing: string[] = [];
  for (const name of ['README.md', 'ARCHITECTURE.md', ...pages]) {
    const text = await readFile(join(root, name), 'utf8');
    for (const path of namedFiles(text)) if (!existsSync(join(root, path))) missing.push(`${name}: ${path}`);
    for (const path of linkedFiles(text))
      if (!existsSync(join(root, dirname(name), path))) missing.push(`${name}: ${path}`);
  }
  expect(missing).toEqual([]);
});
