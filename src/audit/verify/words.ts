/** The one-line result of a verification, the same line that verify/verify.py prints. */
import type { Verification } from './verify.js';
import type { ChainVerification } from './chain.js';

export function sentenceOf(answer: Verification | ChainVerification): string {
  if (answer.result === 'broken') return `broken: ${answer.broken.what}: ${answer.broken.detail}`;
  if ('chain' in answer) {
    const { chain, receipts } = answer.chain;
    return `${answer.result}: chain ${chain}, ${receipts} receipts, held against ${answer.heads} outside heads`;
  }
  const { run, agent, chain, status, revision, n } = answer.receipt;
  const whose = agent === undefined ? '' : `, agent ${agent} of tenant ${chain}`;
  const about = `receipt ${n} of ${run}${whose}, verdict ${status}, revision ${revision}`;
  if (answer.result !== 'verified') return `${answer.result}: ${about}`;
  // Whoever reads it should not take a development receipt for more.
  const label = answer.kid.startsWith('development-') ? ' (a development key)' : '';
  return `verified: ${about}, signed by ${answer.kid}${label}`;
}
