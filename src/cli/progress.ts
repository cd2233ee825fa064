import type { CliIo } from './cli-io.js';

/** Nothing is said about what takes less than this. */
const QUIET_MS = 1000;
const EVERY_MS = 10_000;
const CLEAR_LINE = '\r\u001b[K';

/** Says on stderr, after a second and every ten from then on, that the work goes on. */
export async function withProgress<Result>(doing: string, { stderr, isTTY }: Pick<CliIo, 'stderr' | 'isTTY'>, work: () => Promise<Result>): Promise<Result> {
  const began = Date.now();
  const show = (): void => {
    const seconds = Math.round((Date.now() - began) / 1000);
    stderr.write(isTTY ? `${CLEAR_LINE}${doing} … ${seconds} s` : `${doing} … ${seconds} s\n`);
  };
  const first = setTimeout(show, QUIET_MS);
  const later = setInterval(show, isTTY ? QUIET_MS : EVERY_MS);
  try {
    return await work();
  } finally {
    clearTimeout(first);
    clearInterval(later);
    if (isTTY && Date.now() - began >= QUIET_MS) stderr.write(CLEAR_LINE);
  }
}
