/**
 * An ordinary workflow of your own, governed: each step is decided, warranted, traced and judged, and the work is still your
 * activity on your task queue. A denied step is an exception that you may catch.
 */
import { proxyActivities } from '@temporalio/workflow';
import type { RunSpec } from '../../src/domain/run-spec.js';
import { governed, ownStep, StepDenied } from '../../src/workflows/governed.js';
import type { RunResult } from '../../src/workflows/messages/messages.js';
import type * as activities from './activities.js';
import type { Invoice } from './activities.js';

// The control worker runs ROK's own workflow types too.
export * from '../../src/workflows/index.js';

const mail = proxyActivities<typeof activities>({
  taskQueue: 'invoices',
  startToCloseTimeout: '10s',
  retry: { maximumAttempts: 1 },
});

export type Sent = {
  readonly result: RunResult;
  readonly sent: readonly string[];
  readonly refused: readonly string[];
};

export async function sendInvoices(spec: RunSpec, invoices: readonly Invoice[]): Promise<Sent> {
  const sent: string[] = [];
  const refused: string[] = [];
  const result = await governed(spec, async (run) => {
    for (const invoice of invoices) {
      const step = { name: 'invoices.send', arguments: invoice, access: 'write' } as const;
      try {
        sent.push(await ownStep(run, step, () => mail.sendInvoice(invoice)));
      } catch (error) {
        if (!(error instanceof StepDenied)) throw error;
        refused.push(`${invoice.number}: ${error.message}`);
      }
    }
    return null;
  });
  return { result, sent, refused };
}
