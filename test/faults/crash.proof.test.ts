/** A process ends at a named point of a run's life and nobody starts it again: what is then true of the run, whole. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { runIdOf, type RunId } from '../../src/domain/ids.js';
import { proofSize } from '../proof-size.js';
import { AUDIT_CASES, CONTROL_CASES, EXECUTE_CASES, type CrashCase } from './crash-cases.js';
import { CONVERSATION } from './deployment.js';
import { driftOf, ended, endOf, revisionsOf, revisionsWhen, verdictOf } from './evidence.js';
import { createFaultRig, type FaultRig, type RunHandle } from './rig.js';
import type { WorkerProcess } from './worker-process.js';

const QUICK = ['sign.before', 'decide.finalize.before'];
const chosen = (cases: readonly CrashCase[]): readonly CrashCase[] =>
  proofSize({ quick: cases.filter(({ point }) => QUICK.includes(point)), full: cases });
const [control, execute, audit] = [chosen(CONTROL_CASES), chosen(EXECUTE_CASES), chosen(AUDIT_CASES)];
const all = [...control, ...execute, ...audit];

describe('a worker is killed at a point and nobody starts it again', () => {
  let rig: FaultRig;
  const runs = new Map<CrashCase, RunId>();
  const left = new Map<CrashCase, CrashCase['left']>();

  const runOf = (one: CrashCase): RunId => runs.get(one) ?? runIdOf('none');
  const idOf = ({ worker, point }: CrashCase): string => `rok/${worker}/${point}`;
  const crashing = (one: CrashCase): Promise<WorkerProcess> =>
    // Of the audit worker, whoever signs first: its loop, or the run's close.
    rig.worker([one.worker], { ROK_CRASH_AT: one.worker === 'audit' ? one.point : `${one.point}@${idOf(one)}` });

  /** The crash is behind it. A dead worker's task is not given to another one for a minute. */
  async function crashed(one: CrashCase, worker: WorkerProcess): Promise<RunHandle> {
    const spec = { tenant: one.worker, agent: one.agent };
    const handle = await rig.start(idOf(one), spec, { workflowTaskTimeout: '60s' });
    const run = await rig.runOf(idOf(one));
    runs.set(one, run);
    expect(await worker.exited).toBe('signal SIGKILL');
    if (one.worker === 'audit') await handle.result();
    left.set(one, { ...(await endOf(rig.stack, run)), revisions: await revisionsOf(rig.stack, run) });
    return handle;
  }

  beforeAll(async () => {
    rig = await createFaultRig(CONVERSATION);
    await rig.terms('control', '5 seconds', '6 seconds');
    let [executor, controller] = await Promise.all([rig.worker(['execute']), rig.worker(['control'])]);
    for (const one of audit) await crashed(one, await crashing(one));
    await rig.worker(['audit']);
    for (const one of execute) {
      await executor.kill();
      executor = await crashing(one);
      await (await crashed(one, executor)).result();
    }
    await rig.worker(['execute']);
    await controller.kill();
    for (const one of control) {
      controller = await crashing(one);
      await crashed(one, controller);
    }
    for (const one of control) await verdictOf(rig.stack, runOf(one));
    await rig.worker(['control']);
    for (const one of all) {
      await ended(rig.stack, runOf(one));
      await revisionsWhen(rig.stack, runOf(one), ({ blocking }) => blocking.length === one.last.blocking.length);
    }
  }, 240_000);
  afterAll(() => rig.close());

  it.each(all)('$worker at $point', async (one) => {
    const revisions = await revisionsOf(rig.stack, runOf(one));
    expect({
      left: left.get(one),
      first: revisions[0],
      end: await endOf(rig.stack, runOf(one)),
      last: { ...revisions.at(-1), revision: 0 },
    }).toEqual({ left: one.left, first: one.first, end: one.end, last: { ...one.last, revision: 0 } });
  });

  it('nothing stays reserved, and the ledger agrees with its journal, with attempts and with receipts', async () => {
    const { admin } = rig.stack;
    expect(await driftOf(rig.stack)).toEqual([]);
    expect(await admin.query('SELECT run_id, step FROM decide.reservations WHERE closed_at IS NULL')).toEqual([]);
    expect(await admin.query('SELECT subject, unit FROM decide.accounts WHERE reserved <> 0')).toEqual([]);
  });

  it('every verdict has its receipt, numbered without a gap', async () => {
    const { admin } = rig.stack;
    expect(await admin.query('SELECT * FROM audit.unsigned')).toEqual([]);
    expect(
      await admin.query('SELECT tenant FROM audit.receipts GROUP BY tenant HAVING count(*) <> max(n) OR min(n) <> 1'),
    ).toEqual([]);
  });
});
