/** Custom checks: one import and one line each (docs/extending.md has a worked example). */
import type { PolicyCheck } from './check.js';
import { shoutedReason } from './shouted-reason.js';

export const CUSTOM_CHECKS: readonly PolicyCheck[] = [shoutedReason];
