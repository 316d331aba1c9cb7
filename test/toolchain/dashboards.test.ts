/**
 * Dashboards and code agree: whatever a panel asks for is a metric, with that label, that the code really exposes.
 */
import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { createMetrics } from '../../src/observe/metrics/metrics.js';
import { repository } from './planted-root.js';

const folder = join(repository, 'ops/grafana/dashboards');
const dashboard = z.object({
  uid: z.string(),
  panels: z.array(z.object({ title: z.string(), targets: z.array(z.object({ expr: z.string() })) })),
});
const dashboards = readdirSync(folder).map((name) =>
  dashboard.parse(JSON.parse(readFileSync(join(folder, name), 'utf8'))),
);
const queries = dashboards.flatMap(({ panels }) => panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)));

/** The metrics that the queries name and the exposition does not declare. A histogram declares three more names. */
function undeclared(exprs: readonly string[], exposition: string): readonly string[] {
  const types = [...exposition.matchAll(/^# TYPE (\S+) (\S+)$/gm)];
  const declared = new Set(
    types.flatMap(([, name = '', type]) =>
      type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    ),
  );
  return exprs.flatMap((expr) => expr.match(/\brok_\w+/g) ?? []).filter((name) => !declared.has(name));
}

describe('the dashboards', () => {
  it('ask only for metrics that the code exposes', async () => {
    expect(undeclared(queries, await createMetrics().text())).toEqual([]);
    expect(queries.length).toBeGreaterThanOrEqual(10);
  });

  it('would be found out asking for one that it does not', async () => {
    const exposition = await createMetrics().text();
    expect(undeclared(['sum(rok_runs_lost_total) / sum(rok_runs_started_total)'], exposition)).toEqual([
      'rok_runs_lost_total',
    ]);
  });
});
