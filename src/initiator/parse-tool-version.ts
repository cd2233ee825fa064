/**
 * The version in what `iscsiadm --version` and `iscsid --version` print: `iscsiadm version 2.1.8`; absent when there is
 * none in it.
 */
export function parseToolVersion(text: string): string | undefined {
  return /\bversion (\d+(?:\.\d+)+(?:-\w+)?)/.exec(text)?.[1];
}
