/**
 * One `rok dev` from start to stop. It stops in reverse order of the start: workers drain, then Temporal ends, then
 * PostgreSQL. Does not know which scenario runs.
 */
import { existsSync } from 'node:fs';
import { open, readFile, rename } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { JSONWebKeySet } from 'jose';
import { RokClient } from '../../../client.js';
import { PROFILE_RULES } from '../../../domain/profiles.js';
import { loadConfig, type Config } from '../../../platform/config/config.js';
import { commandEnvironment } from '../../../platform/config/environment.js';
import { startDevStack, type DevStack } from '../../../platform/local/dev-stack.js';
import { lockFolder } from '../../../platform/local/folder-lock.js';
import { supervise, type Supervised } from '../../../platform/local/supervised.js';
import { createLogger, type Logger } from '../../../platform/logging.js';
import { StartError } from '../../../platform/start-error.js';
import { moduleFile } from '../../../workers/setup.js';
import type { DevOptions } from './dev-options.js';
import { READY, refusalOf } from './dev-workers-lines.js';
import { signDevAssertion } from '../../session/dev-issuer.js';
import { play } from './run-scenario.js';
import { createPrinter, type Printer } from '../../output/print.js';
import { readScenario } from './scenario.js';

const DEFAULT_SCENARIO = 'examples/refund-desk.json';

export async function devSession(options: DevOptions): Promise<number> {
  const startedAt = performance.now();
  const print = createPrinter(options.json);
  const signal = stopSignal(print);
  const folder = resolve(options.data);
  const env = await profiled(print);
  const undo: (() => Promise<void>)[] = [];
  try {
    const lock = await lockFolder(folder);
    undo.push(() => lock.release());
    print.say(`starting PostgreSQL and Temporal in ${options.data}/ …`);
    const logging = await logTo(folder, loadConfig(env));
    undo.push(logging.close);
    const stack = await startDevStack({
      folder,
      env,
      log: (line) => {
        logging.log.debug(line);
      },
    });
    undo.push(stack.stop);
    const workers = await startAll(stack, logging, print);
    undo.push(() => workers.stop());
    announce(print, options, stack);
    if (signal.aborted) return 130;
    return await scene(options, stack, print, signal, startedAt);
  } finally {
    if (undo.length > 2) print.say('stopping: workers, Temporal, PostgreSQL …');
    for (const step of undo.reverse()) await step();
  }
}

/** The first Ctrl-C asks for a clean stop, the second ends it all at once. */
function stopSignal(print: Printer): AbortSignal {
  const control = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(name, () => {
      if (control.signal.aborted) process.exit(130);
      print.say('');
      control.abort();
    });
  return control.signal;
}

async function profiled(print: Printer): Promise<NodeJS.ProcessEnv> {
  // Without the stack of another `rok dev`: this one makes its own.
  const env = await commandEnvironment('');
  const { profileGiven, profile } = loadConfig(env);
  if (!profileGiven) {
    print.say('profile: STANDARD, because GOVERNANCE_PROFILE is not set');
    return { ...env, GOVERNANCE_PROFILE: 'STANDARD' };
  }
  if (PROFILE_RULES[profile].refuseDevelopment)
    throw new StartError({
      code: 'config_invalid',
      message: `profile ${profile} refuses development keys and one process for all powers, which is what \`rok dev\` is`,
      hint: 'set `GOVERNANCE_PROFILE` to STANDARD, or start the workers one by one (docker-compose.yml shows how)',
      exitCode: 1,
    });
  print.say(`profile: ${profile}`);
  return env;
}

type Logging = {
  readonly log: Logger;
  /** A line of another process's log, as it is. */
  readonly line: (line: string) => void;
  readonly close: () => Promise<void>;
};

/** JSON lines in a file, so that the terminal is for what happens. The one before is kept. */
async function logTo(folder: string, config: Config): Promise<Logging> {
  const file = resolve(folder, 'dev.log');
  await rename(file, `${file}.1`).catch(() => undefined);
  const handle = await open(file, 'a', 0o600);
  const stream = handle.createWriteStream();
  const log = createLogger({ level: config.logLevel, sink: stream });
  return {
    log,
    line: (line) => {
      stream.write(`${line}\n`);
    },
    close: () =>
      new Promise((done) => {
        stream.end(() => {
          done();
        });
      }),
  };
}

/** As a process of their own, that is started again when it dies: the servers live on, and so do the runs. */
function startAll(stack: DevStack, logging: Logging, print: Printer): Promise<Supervised> {
  return supervise(
    'workers',
    {
      command: process.execPath,
      // With whatever lets this process read its own sources.
      args: [...process.execArgv, moduleFile('./dev-workers.js', import.meta.url)],
      env: stack.env,
      log: logging.line,
    },
    {
      isReady: (line) => line === READY,
      refusal: refusalOf,
      say: (sentence) => {
        print.say(sentence);
        logging.log.error(sentence);
      },
    },
  );
}

function announce(print: Printer, { json, data }: DevOptions, { temporal, postgres, migrated }: DevStack): void {
  if (json)
    print.object({
      event: 'ready',
      temporal_ui: temporal.uiUrl,
      temporal: temporal.address,
      postgres: `${postgres.host}:${postgres.port}`,
      migrated: migrated.length,
    });
  else
    print.say(
      `ready: Temporal ${temporal.address}, Web UI ${temporal.uiUrl}, PostgreSQL ${postgres.host}:${postgres.port}, log ${data}/dev.log`,
    );
}

async function scene(
  options: DevOptions,
  stack: DevStack,
  print: Printer,
  signal: AbortSignal,
  startedAt: number,
): Promise<number> {
  const file = options.scenario ?? (existsSync(DEFAULT_SCENARIO) ? DEFAULT_SCENARIO : undefined);
  let code = 0;
  if (file !== undefined) {
    const played = await playFile(file, stack, print, signal).catch((error: unknown) => {
      if (signal.aborted) return null;
      throw error;
    });
    if (played === null) return 130;
    const { exitCode, summary } = played;
    const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
    if (print.json) print.object({ ...summary, seconds });
    else print.data(`done      exit ${exitCode} after ${seconds} s — ${String(summary['temporal_ui'])}`);
    code = exitCode;
  }
  if (options.once === true) return code;
  print.say(`running: ${stack.temporal.uiUrl} — \`rok run list\` in another terminal; Ctrl-C ends all of it`);
  await aborted(signal);
  return 0;
}

async function playFile(file: string, stack: DevStack, print: Printer, signal: AbortSignal) {
  const scenario = await readScenario(file);
  const client = await RokClient.connect({ env: stack.env });
  try {
    if (!print.json) print.data(`scenario  ${scenario.title} (${file})`);
    return await play(
      {
        client,
        print,
        signal,
        uiUrl: stack.temporal.uiUrl,
        receiptKeys: JSON.parse(await readFile(stack.keys.receiptKeySet, 'utf8')) as JSONWebKeySet,
        acting:
          ({ name, roles }) =>
          async (purpose) => ({
            assertion: await signDevAssertion(stack.keys.assertionKey, { ...purpose, subject: name, roles }),
          }),
      },
      scenario,
    );
  } finally {
    await client.close();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  // A timer keeps the process awake while nothing else does.
  return new Promise((resolve_) => {
    if (signal.aborted) {
      resolve_();
      return;
    }
    const awake = setInterval(() => undefined, 60_000);
    signal.addEventListener('abort', () => {
      clearInterval(awake);
      resolve_();
    });
  });
}
