/**
 * Plays a scenario as any user would: starts the run by the client, shows what happens, answers its holds as other actors,
 * verifies the receipt, and reads the tables back to say what was really done. It has no way into ROK that others lack.
 */
import type { JSONWebKeySet } from 'jose';
import { verifyBundle } from '../../../audit/verify/verify.js';
import type { Acting, GovernedRunHandle, RokClient } from '../../../client.js';
import { RokError } from '../../../domain/errors.js';
import type { OpenHold, Reader, RunView } from '../../../reader/read.js';
import { exitCodeOf } from '../../output/exit-codes.js';
import { follow } from '../../session/follow.js';
import type { Printer } from '../../output/print.js';
import { plain } from '../../output/print.js';
import type { Scenario } from './scenario.js';
import { asEvent, tell } from '../../output/format-event.js';

export type Stage = {
  readonly client: RokClient;
  readonly print: Printer;
  readonly signal: AbortSignal;
  /** How an actor of the scenario proves who it is. */
  readonly acting: (actor: Scenario['actor']) => Acting;
  readonly receiptKeys: JSONWebKeySet;
  /** Base URL of the Temporal Web UI. */
  readonly uiUrl: string;
};
export type Played = { readonly exitCode: number; readonly summary: Readonly<Record<string, unknown>> };

const RECEIPT_MS = 10_000;

export async function play(stage: Stage, scenario: Scenario): Promise<Played> {
  const { client, print } = stage;
  const reader = await client.reader();
  const { labels, ...spec } = scenario.spec;
  const { run: handle } = await client.start({
    ...spec,
    ...(labels === undefined ? {} : { labels }),
    actor: stage.acting(scenario.actor),
  });
  if (!print.json)
    print.data(
      `started   ${scenario.spec.agent} for ${scenario.spec.tenant}, asked for by ${scenario.actor.name}: ${handle.workflowId}`,
    );
  const view = await untilEnd(stage, scenario, handle, reader);
  const receipt = await verifiedReceipt(stage, reader, view);
  const rows = await readBack(stage, reader, scenario, view);
  const ended = exitCodeOf(view);
  const exitCode = receipt !== 'verified' && ended !== 8 ? 6 : ended !== 0 ? ended : rows.asStated ? 0 : 1;
  return {
    exitCode,
    summary: {
      run: view.run,
      phase: view.phase,
      outcome: view.outcome,
      verdict: view.verdict,
      receipt_verified: receipt === 'verified',
      decisions: view.decisions,
      refused_calls: view.refusedCalls,
      attempts: view.attempts,
      spend_micros: view.spentMicros,
      trace_events: view.traceEvents,
      temporal_ui: pageOf(stage.uiUrl, handle.workflowId),
      ...rows.summary,
    },
  };
}

export const pageOf = (uiUrl: string, workflowId: string): string =>
  `${uiUrl}/namespaces/default/workflows/${encodeURIComponent(workflowId)}`;

async function untilEnd(stage: Stage, scenario: Scenario, handle: GovernedRunHandle, reader: Reader): Promise<RunView> {
  for await (const happening of follow(reader, handle.workflowId, { signal: stage.signal, everyMs: 100 })) {
    const line = stage.print.json ? null : tell(happening);
    if (stage.print.json) stage.print.object(asEvent(happening));
    else if (line !== null) stage.print.data(line);
    if (happening.type === 'hold') await answer(stage, scenario, handle, happening.hold);
    if (happening.type === 'end') return happening.view;
  }
  throw new RokError('still_open', 'stopped before the run ended', 'start again: the run is kept');
}

async function answer(stage: Stage, scenario: Scenario, handle: GovernedRunHandle, hold: OpenHold): Promise<void> {
  const given = scenario.answers.find((one) => one.authority === hold.authority);
  if (given === undefined || hold.digest === null) return;
  const { actor, reason } = given;
  if (!stage.print.json)
    stage.print.data(`answered  ${actor.name} (${actor.roles.join(', ')}): ${given.answer} — ${reason}`);
  await handle[given.answer]({ actor: stage.acting(actor), hold: hold.hold, digest: hold.digest, reason });
}

async function verifiedReceipt({ print, receiptKeys }: Stage, reader: Reader, view: RunView): Promise<string> {
  const until = Date.now() + RECEIPT_MS;
  for (;;) {
    const bundle = await reader.bundle(view.run);
    if (bundle === null && Date.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      continue;
    }
    const said = bundle === null ? null : await verifyBundle(bundle, { jwks: receiptKeys });
    const result = said === null ? 'none' : said.result;
    const detail =
      said === null
        ? 'no receipt was signed'
        : said.result === 'broken'
          ? `${said.broken.what}: ${said.broken.detail}`
          : `number ${said.receipt.n}, ${said.receipt.hash.slice(0, 16)}…`;
    if (print.json) print.object({ event: 'receipt', run: view.run, result, detail });
    else print.data(`receipt   ${result}: ${detail}`);
    return result;
  }
}

type Rows = { readonly asStated: boolean; readonly summary: Readonly<Record<string, unknown>> };

async function readBack(
  { print }: Stage,
  reader: Reader,
  { readBack: stated }: Scenario,
  view: RunView,
): Promise<Rows> {
  if (stated === undefined) return { asStated: true, summary: {} };
  const found = (await reader.rows(stated.query, [view.run])).map((row) =>
    Object.fromEntries(Object.entries(row).map(([name, value]) => [name, String(value)])),
  );
  const same = (a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean =>
    Object.keys(a).length === Object.keys(b).length && Object.entries(a).every(([name, value]) => b[name] === value);
  const answers = stated.rows.map((one) => ({ ...one, there: found.some((row) => same(row, one.row)) }));
  const strange = found.filter((row) => !stated.rows.some((one) => same(row, one.row)));
  for (const { says, there } of answers) {
    if (print.json) print.object({ event: 'read_back', name: stated.name, says, done: there });
    else print.data(plain(`${stated.name.padEnd(9)} ${there ? 'done    ' : 'not done'}  ${says}`));
  }
  for (const row of strange) print.say(`${stated.name}: a row that nobody stated: ${plain(JSON.stringify(row))}`);
  return {
    asStated: strange.length === 0 && answers.every((one) => one.there === one.done),
    summary: {
      [`${stated.name}_done`]: answers.filter((one) => one.there).map((one) => one.says),
      [`${stated.name}_not_done`]: answers.filter((one) => !one.there).map((one) => one.says),
    },
  };
}
