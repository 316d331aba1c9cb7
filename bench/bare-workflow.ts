/** The same steps as bare Temporal: remote activities with the options and payload sizes of a governed run, and nothing else. */
import { proxyActivities } from '@temporalio/workflow';

/** Characters of what one step is sent and of what it answers. */
export type StepSize = { readonly input: number; readonly output: number };
export type BarePlan = {
  readonly taskQueue: string;
  readonly turns: readonly { readonly model: StepSize; readonly skills: readonly StepSize[] }[];
};
export type BareActivities = { bareStep(input: { readonly text: string; readonly output: number }): Promise<string> };

export async function bareRun({ taskQueue, turns }: BarePlan): Promise<number> {
  let steps = 0;
  const step = (size: StepSize): Promise<string> => {
    steps += 1;
    const { bareStep } = proxyActivities<BareActivities>({
      taskQueue,
      scheduleToStartTimeout: '60s',
      startToCloseTimeout: '15m',
      heartbeatTimeout: '10s',
      retry: { maximumAttempts: 1 },
      cancellationType: 'TRY_CANCEL',
      summary: `${steps}.1 step bench`,
    });
    return bareStep({ text: 'x'.repeat(size.input), output: size.output });
  };
  for (const { model, skills } of turns) {
    await step(model);
    await Promise.all(skills.map(step));
  }
  return steps;
}
