/** Metrics: bounded labels, and a recording that never throws. */
import { expect, it } from '@jest/globals';
import { createMetrics } from '../../src/observe/metrics/metrics.js';

const samples = async (text: Promise<string>): Promise<readonly string[]> =>
  (await text).split('\n').filter((line) => line !== '' && !line.startsWith('#') && !/ 0$/.test(line));

it('counts what it is told', async () => {
  const metrics = createMetrics();
  metrics.runStarted();
  metrics.runFinished('succeeded');
  metrics.attempted({ kind: 'model.call', result: 'unknown' });
  metrics.spent(1_500_000n);
  metrics.holdsOpen(2);
  metrics.appended(3);
  metrics.judged('STALE', 4);
  metrics.overdue(5);
  metrics.approvalsUncheckable(2);
  metrics.notBorneOut(3);
  metrics.reconciled(new Date(1_700_000_000_000));
  metrics.swept(new Date(1_700_000_001_000));
  metrics.schedulePaused(true);
  expect(await samples(metrics.text())).toEqual([
    'rok_runs_started_total 1',
    'rok_runs_finished_total{outcome="succeeded"} 1',
    'rok_attempts_total{kind="model.call",result="unknown"} 1',
    'rok_spend_micro_usd_total 1500000',
    'rok_holds_open 2',
    'rok_trace_events_appended_total 3',
    'rok_verdicts_total{status="STALE"} 4',
    'rok_verdicts_overdue 5',
    'rok_approvals_uncheckable 2',
    'rok_verdicts_not_borne_out 3',
    'rok_reconcile_last_success_timestamp_seconds 1700000000',
    'rok_standing_judge_last_success_timestamp_seconds 1700000001',
    'rok_reconcile_schedule_paused 1',
  ]);
});

it('puts an unknown label under `other`, so that nobody can make series without end', async () => {
  const metrics = createMetrics();
  metrics.decided({ effect: 'maybe', kind: 'anything at all', path: 'sideways', seconds: 0.003 });
  expect(await samples(metrics.text())).toEqual(
    expect.arrayContaining([
      'rok_decisions_total{effect="other",kind="other"} 1',
      'rok_decide_path_total{path="other"} 1',
    ]),
  );
});

it('drops what is no number instead of throwing', async () => {
  const metrics = createMetrics();
  expect(() => {
    metrics.appended(-1);
    metrics.appended(Number.NaN);
    metrics.decided({ effect: 'allow', kind: 'model.call', path: 'in_full', seconds: 'slow' as unknown as number });
    metrics.holdsOpen(undefined as unknown as number);
  }).not.toThrow();
  await expect(metrics.text()).resolves.toContain('rok_decisions_total');
});

it('shares nothing between two registries', async () => {
  const [one, other] = [createMetrics(), createMetrics()];
  one.runStarted();
  expect(await samples(other.text())).toEqual([]);
});
