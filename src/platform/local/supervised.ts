/**
 * A process that is started again when it dies, after a pause that grows, and that says so. Where nothing else does it: in
 * production that is the container's or the service manager's work. Deliberately without knowing what the process does.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { startProcess, type ServerCommand, type ServerProcess } from './server-process.js';

export type Supervision = {
  /** Whether this line of it says that it is ready. */
  readonly isReady: (line: string) => boolean;
  /** Why it refuses to start, where this line says so. */
  readonly refusal: (line: string) => Error | null;
  /** Told in one sentence when it died and when it is back. */
  readonly say: (sentence: string) => void;
  readonly pause?: { readonly firstMs: number; readonly longestMs: number };
};
export type Supervised = { stop(): Promise<void> };

const PAUSE = { firstMs: 500, longestMs: 30_000 } as const;
/** Who lived this long did not die of its start. */
const SOUND_MS = 60_000;
/** Longer than workers drain. */
const STOP_MS = 40_000;

/** Resolves when it is ready for the first time. @throws why it is not: a first start is not tried again */
export async function supervise(what: string, command: ServerCommand, how: Supervision): Promise<Supervised> {
  const stopping = new AbortController();
  const first = await start(command, how);
  let current = first;
  const watching = (async () => {
    const { firstMs, longestMs } = how.pause ?? PAUSE;
    let pauseMs: number = firstMs;
    let startedMs = performance.now();
    for (;;) {
      const end = await current.exited;
      if (stopping.signal.aborted) return;
      if (performance.now() - startedMs > SOUND_MS) pauseMs = firstMs;
      how.say(`${what} ended (${end}); started again in ${pauseMs / 1000} s`);
      await sleep(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      pauseMs = Math.min(longestMs, 2 * pauseMs);
      startedMs = performance.now();
      const next = await again(command, how, stopping.signal);
      if (next === null) return;
      current = next;
      how.say(`${what} started again`);
    }
  })();
  return {
    async stop() {
      stopping.abort();
      await current.stop('SIGTERM', STOP_MS);
      await watching;
    },
  };
}

/** Null: it is to stop. What does not become ready is a process that has ended, which is started again in its turn. */
async function again(command: ServerCommand, how: Supervision, signal: AbortSignal): Promise<ServerProcess | null> {
  let waitMs = (how.pause ?? PAUSE).firstMs;
  const stopped = (): boolean => signal.aborted;
  while (!stopped()) {
    try {
      const started = await start(command, how);
      if (!stopped()) return started;
      await started.stop('SIGTERM', STOP_MS);
    } catch (error) {
      how.say(`not started again: ${error instanceof Error ? error.message : 'unknown error'}; tried again`);
      await sleep(waitMs, undefined, { signal }).catch(() => undefined);
      waitMs = Math.min((how.pause ?? PAUSE).longestMs, 2 * waitMs);
    }
  }
  return null;
}

async function start(command: ServerCommand, { isReady, refusal }: Supervision): Promise<ServerProcess> {
  const refused: Error[] = [];
  let ready: () => void = () => undefined;
  const started = new Promise<null>((resolve) => {
    ready = () => {
      resolve(null);
    };
  });
  const server = await startProcess({
    ...command,
    log: (line) => {
      const why = refusal(line);
      if (why !== null) refused.push(why);
      if (isReady(line)) ready();
      command.log(line);
    },
  });
  const ended = await Promise.race([started, server.exited]);
  if (ended === null) return server;
  throw refused[0] ?? new Error(`it ended before it was ready (${ended}): ${server.lastLines().at(-1) ?? 'no word'}`);
}
