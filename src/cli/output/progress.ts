import type { CliIo } from '../cli-io.js';

/** Nothing is said about what takes less than this. */
const QUIET_MS = 1000;
const EVERY_MS = 10_000;
const CLEAR_LINE = '\r\u001b[K';

/**
 * Says on stderr, after a second and every ten from then on, that the work goes on, and how far it is where the work
 * says that.
 */
export async function withProgress<Result>(
  doing: string,
  { stderr, isTTY }: Pick<CliIo, 'stderr' | 'isTTY'>,
  work: (progress: (state: string) => void) => Promise<Result>,
): Promise<Result> {
  const began = Date.now();
  let state = '';
  const show = (): void => {
    const seconds = Math.round((Date.now() - began) / 1000);
    const line = `${doing} … ${seconds} s${state === '' ? '' : `, ${state}`}`;
    stderr.write(isTTY ? `${CLEAR_LINE}${line}` : `${line}\n`);
  };
  const first = setTimeout(show, QUIET_MS);
  const later = setInterval(show, isTTY ? QUIET_MS : EVERY_MS);
  try {
    return await work((now) => {
      state = now;
    });
  } finally {
    clearTimeout(first);
    clearInterval(later);
    if (isTTY && Date.now() - began >= QUIET_MS) stderr.write(CLEAR_LINE);
  }
}
