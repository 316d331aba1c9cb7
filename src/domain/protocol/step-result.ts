/**
 * Parses an executor's answer about a step, whatever was received. Anybody who reaches Temporal can poll the executors'
 * task queue, so the workflow checks the answer before it acts on it. By hand and total, because workflow code uses it.
 * An answer of another shape counts as none, and the call's result is then unknown. The audit checks whether an answer
 * is true.
 */
import { isDigest as isDigestText } from '../ids.js';
import { CONTEXT_ROLES } from '../context.js';
import { ERRORS } from '../errors.js';
import type { StepResult } from './execute.js';

type Fields = Readonly<Record<string, unknown>>;

/** @returns null for what is not of the shape of a step's result */
export function stepResultOf(value: unknown): StepResult | null {
  if (!isFields(value)) return null;
  const { result, resultDigest, model } = value;
  const fits =
    isResult(result) &&
    (resultDigest === null || isDigest(resultDigest)) &&
    (model === undefined || isModelAnswer(model));
  return fits ? (value as unknown as StepResult) : null;
}

function isResult(value: unknown): boolean {
  if (!isFields(value)) return false;
  const { status, contentDigest, usage, code, retryAfterMs, cause } = value;
  switch (status) {
    case 'succeeded':
      return isDigest(contentDigest) && isUsage(usage);
    case 'failed':
      return (
        typeof code === 'string' && Object.hasOwn(ERRORS, code) && (retryAfterMs === undefined || isCount(retryAfterMs))
      );
    case 'unknown':
      return typeof cause === 'string';
    default:
      return false;
  }
}

const isUsage = (value: unknown): boolean =>
  isFields(value) &&
  isCount(value['inputTokens']) &&
  isCount(value['outputTokens']) &&
  isCount(value['cachedInputTokens']) &&
  isCount(value['reasoningTokens']) &&
  typeof value['reported'] === 'boolean';

const isModelAnswer = (value: unknown): boolean =>
  isFields(value) &&
  typeof value['finishReason'] === 'string' &&
  typeof value['truncated'] === 'boolean' &&
  Array.isArray(value['toolCalls']) &&
  value['toolCalls'].every(isToolCall) &&
  (value['dropped'] === undefined || isDropped(value['dropped'])) &&
  isEntry(value['entry']);

const isToolCall = (value: unknown): boolean =>
  isFields(value) &&
  typeof value['callId'] === 'string' &&
  typeof value['skill'] === 'string' &&
  typeof value['target'] === 'string' &&
  isDigest(value['argumentsDigest']) &&
  (value['access'] === 'read' || value['access'] === 'write') &&
  typeof value['repeatable'] === 'boolean' &&
  (value['malformed'] === undefined || isDigest(value['malformed'])) &&
  (value['refusal'] === undefined || typeof value['refusal'] === 'string');

const isDropped = (value: unknown): boolean => isFields(value) && isCount(value['calls']) && isDigest(value['digest']);

const isEntry = (value: unknown): boolean =>
  isFields(value) &&
  CONTEXT_ROLES.some((role) => role === value['role']) &&
  isDigest(value['content']) &&
  (value['callId'] === undefined || typeof value['callId'] === 'string') &&
  (value['skill'] === undefined || typeof value['skill'] === 'string');

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isDigest = (value: unknown): boolean => typeof value === 'string' && isDigestText(value);
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
