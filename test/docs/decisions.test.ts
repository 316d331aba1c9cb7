/** Every decision record has a number, a status and a date, and the index lists just those that are there. */
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, it } from '@jest/globals';

const folder = new URL('../../docs/decisions/', import.meta.url);
const HEAD =
  /^# (?<number>\d+)\. (?<title>.+)\n\n(?<status>Accepted|Rejected|Superseded) on (?<date>\d{4}-\d\d-\d\d)\b/;

/** A record's row in the index, or what is wrong with the record. */
function rowOf(file: string, text: string): string {
  const { number, title, status, date } = HEAD.exec(text)?.groups ?? {};
  if (number === undefined || title === undefined || status === undefined || date === undefined)
    return `${file}: no number, title, status and date`;
  if (file.slice(0, 4) !== number.padStart(4, '0')) return `${file}: it is numbered ${number}`;
  return `| ${number} | [${title}](${file}) | ${status.toLowerCase()} | ${date} |`;
}

it('the index of decisions is what the folder holds', async () => {
  const files = (await readdir(fileURLToPath(folder))).filter((name) => name !== 'README.md').sort();
  const index = await readFile(new URL('README.md', folder), 'utf8');
  const rows = index.split('\n').filter((line) => /^\| \d/.test(line));
  const expected = await Promise.all(
    files.map(async (file) => rowOf(file, await readFile(new URL(file, folder), 'utf8'))),
  );
  expect(rows).toEqual(expected);
});

it.each([
  ['without a status', '0001-a.md', '# 1. A\n\n**Context.** x'],
  ['without a date', '0001-a.md', '# 1. A\n\nAccepted.'],
  ['under another number', '0001-a.md', '# 2. A\n\nAccepted on 2026-11-30.'],
])('a record %s is found', (_what, file, text) => {
  expect(rowOf(file, text)).toMatch(/^0001-a\.md: /);
});
