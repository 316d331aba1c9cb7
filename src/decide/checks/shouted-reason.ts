/**
 * The worked example of a custom check: it rejects a refund whose reason is written all in capitals. Small on purpose;
 * a rule that Cedar can express belongs in a policy.
 */
import { ruleId } from '../../domain/ids.js';
import type { PolicyCheck } from './check.js';

export const shoutedReason: PolicyCheck = {
  id: 'shouted-reason',
  bindsTo: ['skill.call'],
  check(intent, snapshot) {
    if (!intent.target.startsWith('orders.refund@')) return [];
    const given = snapshot.arguments;
    if (typeof given !== 'object' || given === null || Array.isArray(given) || !('reason' in given)) return [];
    const reason = given.reason;
    if (typeof reason !== 'string' || reason.length < 8 || reason !== reason.toUpperCase() || !/[A-Z]/.test(reason))
      return [];
    return [
      {
        code: 'policy_forbids',
        rule: ruleId('custom/shouted-reason'),
        text: 'the reason of a refund is not written in capitals',
      },
    ];
  },
};
