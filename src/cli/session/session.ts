/**
 * What every command works with: the environment, a printer, and connections that open on first use and close at the
 * end. Contains no command's work.
 */
import type { Command } from 'commander';
import { RokClient } from '../../client.js';
import { commandEnvironment, DATA_FOLDER } from '../../platform/config/environment.js';
import { openReader, type Reader } from '../../reader/read.js';
import { Ended } from '../output/failure.js';
import { ioOf, printerOf } from './io.js';
import type { Printer } from '../output/print.js';

export type Session = {
  readonly env: NodeJS.ProcessEnv;
  readonly print: Printer;
  readonly reader: () => Promise<Reader>;
  readonly client: () => Promise<RokClient>;
  /** Aborts at Ctrl-C. Asking for it keeps Ctrl-C from ending the process at once. */
  readonly interrupted: () => AbortSignal;
};

/** Runs `work` and closes what it opened. @throws Ended with the exit code that `work` answers, unless it is 0 */
export async function inSession(command: Command, work: (session: Session) => Promise<number>): Promise<void> {
  const { data } = command.optsWithGlobals<{ data?: string }>();
  const env = await commandEnvironment(data ?? DATA_FOLDER, ioOf(command).env);
  const closing: (() => Promise<void>)[] = [];
  const once = <T>(open: () => Promise<T & { close(): Promise<void> }>): (() => Promise<T>) => {
    let opened: Promise<T & { close(): Promise<void> }> | undefined;
    return () => {
      opened ??= open().then((value) => {
        closing.push(() => value.close());
        return value;
      });
      return opened;
    };
  };
  let code: number;
  try {
    code = await work({
      env,
      print: printerOf(command),
      reader: once(() => openReader(env)),
      client: once(() => RokClient.connect({ env })),
      interrupted: () => {
        const control = new AbortController();
        process.once('SIGINT', () => {
          control.abort();
        });
        return control.signal;
      },
    });
  } finally {
    for (const close of closing) await close().catch(() => undefined);
  }
  if (code !== 0) throw new Ended(code);
}
