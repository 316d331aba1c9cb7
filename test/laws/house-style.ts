/**
 * The house style as far as text shows it: length, names, header comments, words that promise later work. Pure: text in,
 * findings out. What a parser is needed for is in eslint.config.mjs.
 */

export interface SourceText {
  /** From the repository's root, with `/`. */
  readonly path: string;
  readonly text: string;
}

export type StyleRule =
  | 'too-long'
  | 'sql-function-too-long'
  | 'not-kebab-case'
  | 'name-says-nothing'
  | 'no-header'
  | 'promise'
  | 'switched-off';

export interface StyleFinding {
  readonly rule: StyleRule;
  readonly path: string;
  readonly detail: string;
}

export const maxLines = 300;
/** From CREATE to the end of the body, as eslint counts a function. */
export const maxSqlFunctionLines = 70;
/** Half of the sources must be at most this long. */
export const maxMedianLines = 120;

const emptyNames = /(^|[-.])(utils?|helpers?|managers?|common|misc)([-.]|$)/;
// A migration's name begins with its place in the order.
const kebabCase = /^(\d{4}_[a-z0-9_-]+\.sql|\.?[a-z0-9]+([-.][a-z0-9]+)*)$/;
// Put together, so that this file does not find itself.
const promises = new RegExp(
  `\\b(${['TO', 'FIX'].map((half) => `${half}${half === 'TO' ? 'DO' : 'ME'}`).join('|')})\\b`,
);
const switches = new RegExp(
  ['@ts-' + 'ignore', '@ts-' + 'nocheck', 'eslint-' + 'disable', 'prettier-' + 'ignore'].join('|'),
);

export function styleFindings({ path, text }: SourceText): readonly StyleFinding[] {
  const name = path.split('/').at(-1) ?? path;
  const lines = lineCount(text);
  const found = (rule: StyleRule, detail: string): StyleFinding => ({ rule, path, detail });
  return [
    ...(lines > maxLines ? [found('too-long', `${lines} lines`)] : []),
    ...(path.endsWith('.sql') ? sqlFunctions(text) : [])
      .filter(({ lines }) => lines > maxSqlFunctionLines)
      .map((long) => found('sql-function-too-long', `${long.name}: ${long.lines} lines`)),
    ...(kebabCase.test(name) ? [] : [found('not-kebab-case', name)]),
    ...(emptyNames.test(name) ? [found('name-says-nothing', name)] : []),
    ...(needsHeader(path) && !/^(#!.*\n)?\s*(\/\*\*|\/\/)/.test(text) ? [found('no-header', text.slice(0, 60))] : []),
    ...linesWith(text, promises).map((line) => found('promise', line)),
    ...linesWith(text, switches).map((line) => found('switched-off', line)),
  ];
}

/** Functions, procedures and anonymous blocks of a file, with the lines from their first word to the end of their body. */
export function sqlFunctions(text: string): readonly { readonly name: string; readonly lines: number }[] {
  const starts = text.matchAll(/^\s*(?:CREATE (?:OR REPLACE )?(?:FUNCTION|PROCEDURE) ([\w.]+)|DO\b)/gim);
  return [...starts].map((start) => {
    const rest = text.slice(start.index).trimStart();
    const quote = /\$\w*\$/.exec(rest);
    const tag = quote?.[0] ?? ';';
    const body = quote === null ? 0 : quote.index + tag.length;
    const end = rest.indexOf(tag, body);
    return { name: start[1] ?? 'DO', lines: lineCount(rest.slice(0, end < 0 ? rest.length : end + tag.length)) };
  });
}

export function medianLines(sources: readonly SourceText[]): number {
  const counts = sources.map(({ text }) => lineCount(text)).sort((a, b) => a - b);
  return counts[Math.floor(counts.length / 2)] ?? 0;
}

function lineCount(text: string): number {
  return text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
}

/** A module says what it is; a test says so in its names. */
function needsHeader(path: string): boolean {
  return /^(src|scripts)\/.*\.(ts|mjs)$/.test(path);
}

function linesWith(text: string, pattern: RegExp): readonly string[] {
  return text.split('\n').flatMap((line, at) => (pattern.test(line) ? [`line ${at + 1}: ${line.trim()}`] : []));
}
