/** Reads a policy set from a folder and checks it before any worker loads it. Connects to nothing. */
import { diffSets, type SetChange } from '../decide/policies/diff.js';
import { lintSet, type LintProblem } from '../decide/policies/lint.js';
import { runSetTests, type TestResult } from '../decide/policies/set-tests.js';
import type { PolicySource } from '../domain/policy-source.js';
import { loadPolicySource } from '../platform/config/files.js';

export const lintFolder = async (folder: string): Promise<readonly LintProblem[]> =>
  lintSet(await loadPolicySource(folder));

/** @throws RokError `policy_invalid` when the set does not load */
export const testFolder = async (folder: string): Promise<readonly TestResult[]> =>
  runSetTests(await loadPolicySource(folder));

/** @throws RokError `policy_invalid` when one of them does not parse */
export const differences = (from: PolicySource, to: PolicySource): readonly SetChange[] => diffSets(from, to);
