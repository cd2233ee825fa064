/** Behind `root_helper` every look is a process: never more of them at a time. */
const WIDTH = 16;

/** As `Promise.all` over `map`, a few at a time. */
export async function mapLimited<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<readonly Result[]> {
  const results: Result[] = [];
  const queue = items.entries();
  const takeTurns = async (): Promise<void> => {
    for (const [index, item] of queue) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(WIDTH, items.length) }, takeTurns));
  return results;
}
