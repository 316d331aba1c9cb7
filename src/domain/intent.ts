/** What a step wants to do, before it is allowed, and the two digests that name it. */
import { digest, DIGEST_TAGS } from './digest.js';
import type { Digest } from './ids.js';

export const INTENT_KINDS = [
  'run.start',
  'model.call',
  'skill.call',
  'agent.delegate',
  'run.outcome',
  'run.repair',
  'run.cancel',
] as const;
export type IntentKind = (typeof INTENT_KINDS)[number];

export type Intent = {
  readonly step: number;
  readonly attempt: number;
  readonly kind: IntentKind;
  /** Model (`provider/name`), skill (`name@version`), agent, or outcome. */
  readonly target: string;
  /** For a skill the stored arguments' digest; for a model call its settings' digest. */
  readonly argumentsDigest: Digest;
  readonly contextDigest: Digest;
  readonly askedOutputTokens?: number;
  readonly access?: 'read' | 'write';
};

/** Over kind, target and arguments: counts repetition. */
export const requestDigest = (intent: Pick<Intent, 'kind' | 'target' | 'argumentsDigest'>): Digest =>
  digest(DIGEST_TAGS.request, intent.kind, intent.target, intent.argumentsDigest);

/** Request, context and the output limit asked for: approvals and warrants bind to it. */
export const actionDigest = (intent: Omit<Intent, 'step' | 'attempt'>): Digest =>
  digest(
    DIGEST_TAGS.action,
    requestDigest(intent),
    intent.contextDigest,
    intent.askedOutputTokens?.toString() ?? '',
    intent.access ?? '',
  );

/** What a model call is asked with besides model, conversation and output limit: the agent as configured. */
export const modelSettingsDigest = (agentDigest: Digest): Digest => digest(DIGEST_TAGS.settings, agentDigest);
