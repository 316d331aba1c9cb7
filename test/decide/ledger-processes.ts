/** Several real processes at one ledger: one job each at a time, all at once. */
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { LoginUrls } from '../stack/databases.js';
import type { Job, Sent } from './ledger-process.js';

const program = fileURLToPath(new URL('ledger-process.ts', import.meta.url));
const loader = new URL('../stack/typescript-loader.mjs', import.meta.url).href;

export type LedgerProcesses = {
  /** A job for each process; what each came back with, in their order. @throws Error with what a process failed with */
  all(jobs: readonly Job[]): Promise<readonly unknown[]>;
  end(): void;
};

export function startLedgerProcesses(urls: LoginUrls, count: number): LedgerProcesses {
  const children = Array.from({ length: count }, () =>
    fork(program, { execArgv: ['--import', loader], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }),
  );
  return {
    all: (jobs) =>
      Promise.all(
        jobs.map((job, at) => {
          const child = children[at];
          if (child === undefined) throw new Error(`there are only ${count} processes`);
          return answerOf(child, { urls, job });
        }),
      ),
    end() {
      for (const child of children) child.kill('SIGKILL');
    },
  };
}

function answerOf(child: ChildProcess, sent: Sent): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null): void => {
      reject(new Error(`the process ended with ${String(code)} before it answered`));
    };
    child.once('exit', ended);
    child.once('message', (said: { readonly result?: unknown; readonly error?: string }) => {
      child.off('exit', ended);
      if (said.error === undefined) resolve(said.result);
      else reject(new Error(said.error));
    });
    child.send(sent);
  });
}
