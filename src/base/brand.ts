declare const brand: unique symbol;

/** A primitive that only its parser may produce. */
export type Brand<Base, Name extends string> = Base & { readonly [brand]: Name };

/** A list that cannot be empty. */
export type NonEmpty<Item> = readonly [Item, ...Item[]];

/** Tells the compiler what a length check already proved. */
export function isNonEmpty<Item>(list: readonly Item[]): list is NonEmpty<Item> {
  return list.length > 0;
}
