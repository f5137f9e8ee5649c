/** What each becomes, in order; a few at once, as many as kubectl itself would ask. */
export async function inParallel<From, To>(
  all: readonly From[],
  work: (one: From) => Promise<To>,
  atOnce = 8,
): Promise<To[]> {
  const done: To[] = [];
  const left = all.entries();
  const lane = async () => {
    for (const [index, one] of left) done[index] = await work(one);
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  return done;
}
