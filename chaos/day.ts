/**
 * A day in the life of `npm start`: runs side by side that people approve, reject, kill, cancel, pause, raise and pester
 * with wrong messages. At its end every command that looks for something wrong must find nothing.
 */
import { randomUUID } from 'node:crypto';
import { RokClient, type Acting } from '../src/client.js';
import { signDevAssertion } from '../src/cli/session/dev-issuer.js';
import { isSettled, type RunView } from '../src/reader/read.js';
import { playPlot, PLOTS, type People, type Plot } from './day-plots.js';
import { startDev, type DevProcess } from './dev-process.js';
import { randomFrom, type Random } from './random.js';
import type { Answer, Asked, Goal, Injection } from './scenario.js';

const AT_ONCE = 20;
const TENANTS = ['acme', 'globex', 'initech'];
const INPUT = 'Please refund what is due on A-1001, A-1002 and A-1003.';

type Played = { readonly plot: Plot; readonly view: RunView; readonly refused: number };

export async function day({ seed, runs }: Asked): Promise<Answer> {
  const dev = await startDev();
  try {
    const client = await RokClient.connect({ env: dev.env });
    try {
      const injections: Injection[] = [];
      const played = await playAll({ client, people: peopleOf(dev), random: randomFrom(seed), runs, injections });
      return {
        injections,
        figures: figuresOf(played),
        notes: oddOnes(played),
        goals: await goalsOf(dev, played, runs),
      };
    } finally {
      await client.close();
    }
  } finally {
    await dev.stop();
  }
}

function peopleOf(dev: DevProcess): People {
  const keyFile = dev.env['ROK_ASSERTION_KEY'] ?? '';
  return (name, ...roles): Acting =>
    async (purpose) => ({ assertion: await signDevAssertion(keyFile, { ...purpose, subject: name, roles }) });
}

type Stage = {
  readonly client: RokClient;
  readonly people: People;
  readonly random: Random;
  readonly runs: number;
  readonly injections: Injection[];
};

/** `AT_ONCE` runs at a time, each with its own sequence of chance. */
async function playAll(stage: Stage): Promise<readonly Played[]> {
  const played: Played[] = [];
  let next = 0;
  const one = async (): Promise<void> => {
    while (next < stage.runs) {
      const n = next;
      next += 1;
      played.push(await playOne(stage, n, stage.random.fork()));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
  return played;
}

async function playOne({ client, people, injections }: Stage, n: number, random: Random): Promise<Played> {
  const plot = PLOTS[n % PLOTS.length] ?? 'approve';
  const { run: handle } = await client.start({
    tenant: TENANTS[n % TENANTS.length] ?? 'acme',
    agent: 'refund-desk',
    input: INPUT,
    id: `day-${n}-${randomUUID()}`,
    actor: people('alice', 'requester'),
  });
  if (plot !== 'approve') injections.push({ at: new Date().toISOString(), what: plot, inFlight: AT_ONCE });
  const refused = await playPlot(plot, { handle, people, random });
  await handle.result();
  for await (const view of handle.watch()) if (isSettled(view) && view.receipt !== null) return { plot, view, refused };
  const view = await handle.status();
  if (view === null) throw new Error(`\`${handle.workflowId}\` is gone`);
  return { plot, view, refused };
}

function figuresOf(played: readonly Played[]): Readonly<Record<string, number>> {
  const count = (test: (one: Played) => boolean): number => played.filter(test).length;
  return {
    runs: played.length,
    ...Object.fromEntries(
      ['COMPLETE', 'INCOMPLETE', 'STALE'].map((status) => [status, count(({ view }) => view.verdict === status)]),
    ),
    ...Object.fromEntries(
      [...new Set(played.map(({ view }) => view.outcome ?? 'none'))].map((outcome) => [
        `outcome ${outcome}`,
        count(({ view }) => view.outcome === outcome),
      ]),
    ),
    refused_messages: played.reduce((sum, { refused }) => sum + refused, 0),
  };
}

const oddOnes = (played: readonly Played[]): readonly string[] =>
  played
    .filter(({ view }) => view.verdict !== 'COMPLETE' || view.findings.length > 0)
    .map(({ plot, view }) => `${plot} ${view.run} ${view.verdict ?? 'no verdict'} ${JSON.stringify(view.findings)}`);

async function goalsOf(dev: DevProcess, played: readonly Played[], runs: number): Promise<readonly Goal[]> {
  const drift = await dev.rok('ledger', '--drift');
  const jwks = dev.file('keys', 'receipt.jwks.json');
  return [
    { name: 'every run ended and is judged', held: played.length === runs, seen: `${played.length} of ${runs}` },
    {
      name: 'every verdict is COMPLETE without a finding',
      held: oddOnes(played).length === 0,
      seen: `${oddOnes(played).length} are not`,
    },
    { name: '`rok ledger --drift` finds nothing', held: drift.code === 0, seen: `exit ${drift.code ?? 'by a signal'}` },
    await allHold('`rok verify` of each receipt', played, (run) => dev.rok('verify', run, '--jwks', jwks)),
    await allHold('`rok verify --rejudge` of each run', played, (run) =>
      dev.rok('verify', run, '--jwks', jwks, '--rejudge'),
    ),
  ];
}

async function allHold(
  name: string,
  played: readonly Played[],
  ask: (run: string) => ReturnType<DevProcess['rok']>,
): Promise<Goal> {
  const broken: string[] = [];
  const runs = played.map(({ view }) => view.run as string);
  const one = async (): Promise<void> => {
    for (let run = runs.shift(); run !== undefined; run = runs.shift()) {
      const exit = await ask(run);
      if (exit.code !== 0)
        broken.push(`${run}: exit ${exit.code ?? 'by a signal'} ${exit.stdout}${exit.stderr}`.trim());
    }
  };
  await Promise.all([one(), one()]);
  return {
    name,
    held: broken.length === 0,
    seen: broken.length === 0 ? `${played.length} hold` : broken.slice(0, 3).join(' | '),
  };
}
