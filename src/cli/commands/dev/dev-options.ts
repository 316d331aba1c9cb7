/** What `rok dev` was asked for. */
export type DevOptions = {
  /** Stop after the scenario. */
  readonly once?: boolean;
  readonly scenario?: string;
  readonly json: boolean;
  /** Folder of its data. */
  readonly data: string;
};
