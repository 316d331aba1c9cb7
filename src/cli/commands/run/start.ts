/** `rok run start`: starts a run of an agent; the same start again with the same `--id` is the first run. */
import { readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { InvalidArgumentError, type Command } from 'commander';
import type { StartSpec } from '../../../client.js';
import { durationMs } from '../../../domain/agent.js';
import { RokError } from '../../../domain/errors.js';
import { microsFromUsd } from '../../../domain/money.js';
import { PROFILES, type Profile } from '../../../domain/profiles.js';
import type { Reader, RunView } from '../../../reader/read.js';
import { actorOf, withActor, type ActorOptions } from '../../session/actor.js';
import { duration } from './wait.js';
import { inSession } from '../../session/session.js';
import { watchRun } from '../../session/watch-until-end.js';

type Options = ActorOptions & {
  readonly input: string;
  readonly tenant: string;
  readonly id?: string;
  readonly budgetUsd?: string;
  readonly deadline?: string;
  readonly label: Readonly<Record<string, string>>;
  readonly profile?: string;
  readonly watch?: boolean;
  readonly wait?: boolean;
  readonly timeout?: number;
};

const OPENED_WITHIN_MS = 5_000;

export function runStart(run: Command): void {
  const command = run
    .command('start')
    .argument('<agent>', 'name of a configured agent')
    .description('start a run of an agent')
    .requiredOption('--input <text>', 'what to do; `@file` reads it from a file, `-` from stdin')
    .option('--tenant <tenant>', 'whose money and data', 'default')
    .option('--id <id>', 'idempotency key: the same start again is the first run, another is refused')
    .option('--budget-usd <usd>', 'at most this much, such as 0.50', usd)
    .option('--deadline <when>', 'a duration such as 10m, or an RFC 3339 time', deadline)
    .option('--label <name=value>', 'a label; may be repeated', label, {})
    .option('--profile <profile>', 'a stricter profile than the one in force', profile)
    .option('--watch', 'show what happens, until the end')
    .option('--wait', 'wait for the end; the exit code says how the run ended')
    .option('--timeout <duration>', 'stop waiting after this long (exit code 8)', duration);
  withActor(command).action((agent: string, options: Options, self: Command) =>
    inSession(self, async (session) => {
      const until = Date.now() + (options.timeout ?? Infinity);
      const client = await session.client();
      const { run: handle, started } = await client.start(await specOf(agent, options, session.env));
      const view = await opened(await session.reader(), handle.workflowId, until);
      session.print.say(
        started
          ? `started ${view?.run ?? handle.workflowId}`
          : `${view?.run ?? handle.workflowId} was started before with this id`,
      );
      if (view === null) session.print.say('no control worker has opened it yet');
      if (options.watch !== true && options.wait !== true) {
        const { workflowId } = handle;
        if (session.print.json) session.print.object({ run: view?.run ?? null, workflowId, started });
        else session.print.data(view?.run ?? workflowId);
        return 0;
      }
      return watchRun(session, {
        name: handle.workflowId,
        quiet: options.watch !== true,
        ...(options.timeout === undefined ? {} : { timeoutMs: Math.max(0, until - Date.now()) }),
      });
    }),
  );
}

async function specOf(agent: string, options: Options, env: NodeJS.ProcessEnv): Promise<StartSpec> {
  const { tenant, id, budgetUsd, label: labels } = options;
  return {
    tenant,
    agent,
    input: await inputOf(options.input),
    actor: actorOf(options, env, userInfo().username).actor,
    ...(id === undefined ? {} : { id }),
    ...(budgetUsd === undefined ? {} : { limits: { usdMicros: budgetUsd } }),
    ...(options.deadline === undefined ? {} : { deadline: options.deadline }),
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
    ...(options.profile === undefined ? {} : { profile: options.profile as Profile }),
  };
}

async function inputOf(text: string): Promise<string> {
  if (text === '-') {
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString('utf8');
  }
  if (!text.startsWith('@')) return text;
  return readFile(text.slice(1), 'utf8').catch(() => {
    throw new RokError('usage', `the file \`${text.slice(1)}\` cannot be read`, 'correct the path after `@`');
  });
}

/** Null when nobody opened the run in time. */
async function opened(reader: Reader, workflowId: string, untilMs: number): Promise<RunView | null> {
  const until = Math.min(Date.now() + OPENED_WITHIN_MS, untilMs);
  for (;;) {
    const view = await reader.run(workflowId);
    if (view !== null || Date.now() > until) return view;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function usd(text: string): string {
  try {
    return microsFromUsd(text).toString();
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : 'must be an amount of USD');
  }
}

function deadline(text: string): string {
  if (!Number.isNaN(Date.parse(text)) && text.includes('T')) return new Date(text).toISOString();
  try {
    return new Date(Date.now() + durationMs(text)).toISOString();
  } catch {
    throw new InvalidArgumentError('must be a duration such as 10m, or an RFC 3339 time');
  }
}

function label(text: string, before: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('must be name=value');
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

function profile(text: string): string {
  if (!(PROFILES as readonly string[]).includes(text))
    throw new InvalidArgumentError(`must be one of ${PROFILES.join(', ')}`);
  return text;
}
