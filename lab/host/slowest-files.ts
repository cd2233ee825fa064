/** A file of tests, and how long it took. */
export interface TimedFile {
  readonly file: string;
  readonly seconds: number;
}

/**
 * The test files that took longest, of what `jest --json` writes.
 * @param root what to leave out at the head of each path
 */
export function slowestFiles(jestResult: string, root: string, most = 5): readonly TimedFile[] {
  const { testResults } = JSON.parse(jestResult) as {
    readonly testResults: readonly { readonly name: string; readonly startTime: number; readonly endTime: number }[];
  };
  return testResults
    .map(({ name, startTime, endTime }) => ({
      file: name.startsWith(`${root}/`) ? name.slice(root.length + 1) : name,
      seconds: (endTime - startTime) / 1000,
    }))
    .sort((a, b) => b.seconds - a.seconds)
    .slice(0, most);
}
