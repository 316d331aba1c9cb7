/** The options of `rok dev`. */
export type DevOptions = {
  /** Stop after the scenario. */
  readonly once?: boolean;
  readonly scenario?: string;
  readonly json: boolean;
  /** Folder of its data. */
  readonly data: string;
};
