/**
 * Where a fault test may end a worker, as kill -9 would: before and after every activity (`decide.latch.before`,
 * `execute.close_out.after`), inside a call (execute/deps.ts), between two acks (`close_out.evaluated`) and before a
 * signature (`sign.before`). Without `ROK_CRASH_AT` the hands are handed on as they are.
 */
import { Context } from '@temporalio/activity';
import type { Signer } from '../audit/receipts/signer.js';

export type Crasher = (point: string) => void;

/**
 * @param at `ROK_CRASH_AT`: `point`, `point@workflow-id` for that workflow's own, `point:3` for its third time. Undefined: nowhere
 * @param end ends the process
 */
export function crasher(at: string | undefined, end: () => void = killed): Crasher | undefined {
  const [, wanted, workflowId, nth = '1'] = /^([^@:]+)(?:@([^:]+))?(?::(\d+))?$/.exec(at ?? '') ?? [];
  if (wanted === undefined) return undefined;
  let seen = 0;
  return (point) => {
    if (point !== wanted || (workflowId !== undefined && workflowId !== servedWorkflow())) return;
    seen += 1;
    if (seen === Number(nth)) end();
  };
}

const killed = (): void => {
  process.kill(process.pid, 'SIGKILL');
};

/** Of the activity that is running here; undefined outside of one. */
function servedWorkflow(): string | undefined {
  try {
    return Context.current().info.workflowExecution?.workflowId;
  } catch {
    return undefined;
  }
}

type Hand = (input: never) => Promise<unknown>;

/** The same activities, each with a crash point before it and one after it. */
export function withCrashPoints<A extends object>(activities: A, crashAt: Crasher | undefined): A {
  if (crashAt === undefined) return activities;
  const wrap = (name: string, hand: Hand): Hand => {
    return async (input) => {
      crashAt(`${name}.before`);
      const answer = await hand(input);
      crashAt(`${name}.after`);
      return answer;
    };
  };
  return Object.fromEntries(Object.entries(activities).map(([name, hand]) => [name, wrap(name, hand as Hand)])) as A;
}

/** A crash here leaves a verdict that is committed and has no receipt. */
export function crashingSigner(signer: Signer, crashAt: Crasher | undefined): Signer {
  if (crashAt === undefined) return signer;
  return {
    ...signer,
    sign: (text) => {
      crashAt('sign.before');
      return signer.sign(text);
    },
  };
}
