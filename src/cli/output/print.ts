/** Writes to stdout: tables for people, one JSON text per line for machines. Everything else goes to stderr. */
export type Json = Readonly<Record<string, unknown>> | readonly unknown[];

/** Whole sentences of a command; `data` is what it is for, `say` is what is said beside it. */
export type Printer = {
  readonly json: boolean;
  data(line: string): void;
  object(value: Json): void;
  say(line: string): void;
};

export function createPrinter(
  json: boolean,
  out: Pick<NodeJS.WritableStream, 'write'> = process.stdout,
  err: Pick<NodeJS.WritableStream, 'write'> = process.stderr,
): Printer {
  return {
    json,
    data: (line) => {
      out.write(`${line}\n`);
    },
    object: (value) => {
      out.write(`${JSON.stringify(value)}\n`);
    },
    say: (line) => {
      err.write(`${line}\n`);
    },
  };
}

/** Columns as wide as their widest cell. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, at) => Math.max(title.length, ...rows.map((row) => (row[at] ?? '').length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd();
  return [line(head.map((title) => title.toUpperCase())), ...rows.map(line)].join('\n');
}

/**
 * Control characters out, and format characters (those that turn the direction of reading, or are not seen) written as
 * their code: what came from a model or a caller must not move the reader's cursor, nor look like another text.
 */
export const plain = (text: string): string =>
  text
    .replace(/\p{Cc}/gu, ' ')
    .replace(/[\p{Cf}\p{Zl}\p{Zp}]/gu, (found) => `\\u{${found.codePointAt(0)?.toString(16) ?? ''}}`);
