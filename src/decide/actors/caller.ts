/** Which Temporal execution calls; taken from the activity's own info, never from its arguments. */
export type Caller = { readonly workflowId: string; readonly temporalRunId: string };
