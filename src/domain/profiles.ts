/**
 * The three profiles as data. There are no other flags: a careful roll-out sets OBSERVE_ONLY for a tenant, then shadow
 * mode for single policies.
 */
export const PROFILES = ['STRICT', 'STANDARD', 'OBSERVE_ONLY'] as const;
export type Profile = (typeof PROFILES)[number];

export type ProfileRules = {
  /** Whether a deny or a pause stops the step, or is only recorded as a notice. */
  readonly enforce: boolean;
  /**
   * What is asked again of an action that was decided before: all checks, or halt, limits, Cedar and budgets. The first time
   * it is always all of them.
   */
  readonly recheckAll: boolean;
  /** Whether a start without any policy set is refused. */
  readonly requirePolicySet: boolean;
  /** Whether every actor must present a signed assertion. */
  readonly requireAssertion: boolean;
  /** Whether the next step waits for the trace of the last one. */
  readonly traceFirst: boolean;
  /** What a soft rate limit does to a call that comes too early: it is treated as any objection, or only told of. */
  readonly softRates: 'object' | 'warn';
  /** Whether development conveniences (generated keys, shared logins, audit beside execute) stop the start. */
  readonly refuseDevelopment: boolean;
};

export const PROFILE_RULES = {
  STRICT: {
    enforce: true,
    recheckAll: true,
    requirePolicySet: true,
    requireAssertion: true,
    traceFirst: true,
    softRates: 'object',
    refuseDevelopment: true,
  },
  STANDARD: {
    enforce: true,
    recheckAll: false,
    requirePolicySet: true,
    requireAssertion: false,
    traceFirst: true,
    softRates: 'warn',
    refuseDevelopment: false,
  },
  OBSERVE_ONLY: {
    enforce: false,
    recheckAll: true,
    requirePolicySet: false,
    requireAssertion: false,
    traceFirst: false,
    softRates: 'object',
    refuseDevelopment: false,
  },
} as const satisfies Record<Profile, ProfileRules>;

const STRENGTH: Record<Profile, number> = { OBSERVE_ONLY: 0, STANDARD: 1, STRICT: 2 };

/** The stricter of the profile in force and the one a spec asks for: a spec may only tighten. */
export const stricter = (inForce: Profile, asked: Profile | undefined): Profile =>
  asked !== undefined && STRENGTH[asked] > STRENGTH[inForce] ? asked : inForce;
