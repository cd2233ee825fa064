const begin = performance.now();

/** One line of progress for a person, with the time since the start. */
export function say(text: string): void {
  const seconds = ((performance.now() - begin) / 1000).toFixed(1).padStart(6);
  process.stderr.write(`${seconds} s  ${text}\n`);
}
