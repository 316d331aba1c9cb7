/** Starts the workflow of a governed run, once per workflow id. Which id that is, is the caller's. */
import { WorkflowExecutionAlreadyStartedError, type Client } from '@temporalio/client';
import { RokError } from '../domain/errors.js';
import type { RunSpec } from '../domain/run-spec.js';
import { toRokError } from '../platform/temporal/temporal-failure.js';

const MAX_INPUT_BYTES = 1_900_000;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** @throws RokError spec_invalid for what is no name */
export function named(field: string, text: string): string {
  if (NAME.test(text)) return text;
  throw new RokError(
    'spec_invalid',
    `${field} \`${text.slice(0, 140)}\` is not a name`,
    'use at most 128 letters, digits, `.`, `_` and `-`, the first a letter or digit',
  );
}

/** @returns false when there was one of this id before */
export async function startWorkflow(client: Client, workflowId: string, spec: RunSpec): Promise<boolean> {
  const bytes = Buffer.byteLength(JSON.stringify(spec));
  if (bytes > MAX_INPUT_BYTES)
    throw new RokError(
      'spec_invalid',
      `the spec has ${bytes} bytes, more than Temporal takes`,
      `keep it under ${MAX_INPUT_BYTES} bytes`,
    );
  try {
    await client.workflow.start('governedRun', {
      taskQueue: 'rok-control',
      workflowId,
      workflowIdReusePolicy: 'REJECT_DUPLICATE',
      args: [spec],
      // No prompt text: whoever may list workflows reads this.
      staticSummary: [spec.agent, spec.labels?.['goal']]
        .filter((part) => part !== undefined)
        .join(': ')
        .slice(0, 200),
    });
    return true;
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
    throw toRokError(error, workflowId);
  }
}
