/** Nominal types over plain values: a `RunId` is a string, but not every string is a `RunId`. Erased at run time. */
declare const brand: unique symbol;
export type Branded<T, Name extends string> = T & { readonly [brand]: Name };
