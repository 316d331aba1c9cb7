/** The streams and environment of a command: the process's own, unless the caller passes others. */
import type { Command } from 'commander';
import { createPrinter, type Printer } from '../output/print.js';

export type Io = {
  readonly out: Pick<NodeJS.WritableStream, 'write'>;
  readonly err: Pick<NodeJS.WritableStream, 'write'>;
  /** The process's, unless given. */
  readonly env?: NodeJS.ProcessEnv;
};

const attached = new WeakMap<Command, Io>();

export function attachIo(program: Command, io: Io): void {
  attached.set(program, io);
}

export function ioOf(command: Command): Io {
  let root = command;
  while (root.parent !== null) root = root.parent;
  return attached.get(root) ?? { out: process.stdout, err: process.stderr };
}

export function printerOf(command: Command): Printer {
  const { json } = command.optsWithGlobals<{ json?: boolean }>();
  const { out, err } = ioOf(command);
  return createPrinter(json ?? false, out, err);
}
