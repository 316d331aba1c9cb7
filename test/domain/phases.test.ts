import { describe, expect, it } from '@jest/globals';
import {
  isTerminal,
  OUTCOMES,
  PHASES,
  transition,
  type LifecycleEvent,
  type Outcome,
  type State,
} from '../../src/domain/phases.js';

const events: readonly LifecycleEvent[] = [
  { type: 'authorize' },
  { type: 'execute' },
  ...OUTCOMES.map((outcome): LifecycleEvent => ({ type: 'latch', outcome })),
  { type: 'finalize' },
];
const states: readonly State[] = PHASES.flatMap((phase) =>
  [null, ...OUTCOMES].map((outcome: Outcome | null) => ({ phase, outcome })),
);

describe('the lifecycle', () => {
  it('answers every pair of state and event, with a new state or a named error', () => {
    for (const state of states)
      for (const event of events) {
        const answer = transition(state, event);
        if (answer.ok) expect(PHASES).toContain(answer.state.phase);
        else expect(answer.error).toMatch(/^(already|not)_[a-z]+$/);
      }
  });

  // One row per phase: what authorize, execute, latch and finalize come to.
  it.each([
    ['CREATED', null, 'AUTHORIZED', 'not_authorized', 'FINALIZING', 'not_latched'],
    ['AUTHORIZED', null, 'already_authorized', 'EXECUTING', 'FINALIZING', 'not_latched'],
    ['EXECUTING', null, 'already_authorized', 'already_executing', 'FINALIZING', 'not_latched'],
    ['FINALIZING', 'succeeded', 'already_authorized', 'already_latched', 'already_latched', 'COMPLETED'],
    ['FINALIZING', 'killed', 'already_authorized', 'already_latched', 'already_latched', 'FAILED'],
    ['COMPLETED', 'succeeded', 'already_final', 'already_final', 'already_final', 'already_final'],
    ['FAILED', 'denied', 'already_final', 'already_final', 'already_final', 'already_final'],
  ] as const)('in %s with outcome %s', (phase, outcome, ...expected) => {
    const asked: readonly LifecycleEvent[] = [
      { type: 'authorize' },
      { type: 'execute' },
      { type: 'latch', outcome: 'forced' },
      { type: 'finalize' },
    ];
    const answers = asked.map((event) => transition({ phase, outcome }, event));
    expect(answers.map((answer) => (answer.ok ? answer.state.phase : answer.error))).toEqual(expected);
  });

  it('reaches a terminal phase from FINALIZING only, with the outcome that was latched', () => {
    for (const state of states)
      for (const event of events) {
        const answer = transition(state, event);
        if (!answer.ok || !isTerminal(answer.state.phase)) continue;
        expect(state.phase).toBe('FINALIZING');
        expect(answer.state.outcome).toBe(state.outcome);
        expect(answer.state.phase).toBe(state.outcome === 'succeeded' ? 'COMPLETED' : 'FAILED');
      }
  });

  it('reaches, from the beginning, only states with an outcome exactly from the latch on', () => {
    const seen = new Map<string, State>();
    const waiting: State[] = [{ phase: 'CREATED', outcome: null }];
    for (let state = waiting.pop(); state !== undefined; state = waiting.pop()) {
      if (seen.has(JSON.stringify(state))) continue;
      seen.set(JSON.stringify(state), state);
      for (const event of events) {
        const answer = transition(state, event);
        if (answer.ok) waiting.push(answer.state);
      }
    }
    // Three phases without outcome, nine latched, nine final.
    expect(seen.size).toBe(21);
    for (const { phase, outcome } of seen.values())
      expect(outcome !== null).toBe(phase === 'FINALIZING' || isTerminal(phase));
  });
});
