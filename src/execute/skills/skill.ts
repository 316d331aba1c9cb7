/**
 * The interface of a skill, a tool that a model may ask for. A skill states its arguments and how it behaves when it is
 * cut off. Whether it runs is decided elsewhere. Its output is untrusted text: stored, cut at its limit, never
 * interpreted.
 */
import type { z } from 'zod';
import type { RunId } from '../../domain/ids.js';
import type { Json } from '../../domain/json.js';
import type { ExecuteLog } from '../log.js';

/**
 * natural: doing it twice is doing it once. keyed: twice with the same key is once. none: nobody knows, so a call whose
 * fate is unknown is never repeated.
 */
export type Idempotency = 'natural' | 'keyed' | 'none';

export type SkillContext = {
  readonly run: RunId;
  /** For a keyed skill the same for every attempt of one step; else one per attempt. */
  readonly idempotencyKey: string;
  readonly signal: AbortSignal;
  readonly log: ExecuteLog;
  heartbeat(): void;
};

export interface Skill<Input extends z.ZodType = z.ZodType> {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly input: Input;
  readonly access: 'read' | 'write';
  readonly idempotency: Idempotency;
  readonly timeoutMs: number;
  readonly maxOutputBytes: number;
  /**
   * Refusals are answers, as data for the model.
   * @throws RokError skill_failed when certainly nothing was done; after anything else its fate is unknown
   */
  run(input: z.output<Input>, context: SkillContext): Promise<Json>;
}

/** Keeps the input's type for `run`. */
export const defineSkill = <Input extends z.ZodType>(skill: Skill<Input>): Skill<Input> => skill;
