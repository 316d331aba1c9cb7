/** The JSON that ROK accepts as evidence: strings, integers within ±2^53, booleans, null, arrays and objects of these. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = Readonly<Record<string, Json>>;
