/** What every worker is started with. platform/config has read the environment; nothing here reads it again. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { PolicyCheck } from '../decide/checks/check.js';
import type { ModelProvider } from '../execute/models/model-gateway.js';
import type { Skill } from '../execute/skills/skill.js';
import type { Metrics } from '../observe/metrics/metrics.js';
import type { Config } from '../platform/config/config.js';
import type { Logger } from '../platform/logging.js';
import type { TemporalSettings } from '../platform/temporal/temporal.js';

/** One's own additions: each is one line of registration. */
export type Extensions = {
  readonly skills?: readonly Skill[];
  readonly providers?: readonly ModelProvider[];
  readonly checks?: readonly PolicyCheck[];
  /** A file whose exports are further workflow types for the control worker. */
  readonly workflowsPath?: string;
};

export type WorkerSetup = {
  readonly config: Config;
  readonly temporal: TemporalSettings;
  readonly log: Logger;
  readonly extensions?: Extensions;
  /** Of this process, shared by its workers. */
  readonly metrics?: Metrics;
  /** How often the standing judge and the schedule look; 30 s unless told. */
  readonly sweepMs?: number;
};

/** A started worker. `stop` drains it: what is in flight ends first. `failed` rejects when it stops by itself. */
export type RunningWorker = { readonly name: string; readonly failed: Promise<never>; stop(): Promise<void> };

/** Temporal's own default of longest draining; a step that takes longer is `unknown` and decided again. */
export const DRAIN_MS = 30_000;

/** Under a test runner the sources are TypeScript; in production they are not. */
export function moduleFile(relative: string, base: string): string {
  const compiled = fileURLToPath(new URL(relative, base));
  return existsSync(compiled) ? compiled : compiled.replace(/\.js$/, '.ts');
}
