/** Reads the tables of a page of docs/: cells by column, without the marks of code. */
import { readFile } from 'node:fs/promises';

export const page = (name: string): Promise<string> => readFile(new URL(`../../docs/${name}`, import.meta.url), 'utf8');

/** The rows of the first table below the heading whose first cell fits `first`; cells without back-ticks. */
export function rowsUnder(text: string, heading: string, first: RegExp): readonly (readonly string[])[] {
  const from = `\n${text}`.indexOf(`\n${heading}\n`);
  if (from < 0) throw new Error(`no heading \`${heading}\``);
  const below = text.slice(from + heading.length + 1);
  const end = below.search(/^#/m);
  return (end < 0 ? below : below.slice(0, end))
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) =>
      line
        .slice(2, line.lastIndexOf('|'))
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim().replaceAll('`', '')),
    )
    .filter(([cell]) => cell !== undefined && first.test(cell));
}
