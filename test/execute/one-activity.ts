/** A workflow for activities.test.ts: one activity of the executing power, as a governed run calls it. */
import { proxyActivities } from '@temporalio/workflow';
import type {
  BeginInput,
  CloseOut,
  ExecuteActivities,
  ExecuteStep,
  PrepareInput,
  Prepared,
  RecordInput,
  StepResult,
} from '../../src/domain/protocol/execute.js';

const execute = proxyActivities<ExecuteActivities>({
  startToCloseTimeout: '30s',
  heartbeatTimeout: '5s',
  retry: { maximumAttempts: 3 },
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
});

export const prepareOnce = (input: PrepareInput): Promise<Prepared> => execute['execute.prepare'](input);
export const stepOnce = (input: ExecuteStep): Promise<StepResult> => execute['execute.step'](input);
export const recordOnce = (input: RecordInput): Promise<StepResult> => execute['execute.record'](input);
export const closeOutOnce = (input: CloseOut): Promise<unknown> => execute['execute.close_out'](input);
export const beginOnce = (input: BeginInput): Promise<unknown> => execute['execute.begin'](input);
