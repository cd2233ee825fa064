/**
 * How many files are open for reading at once. A service's limit is 1024 by default (systemd.exec(5), LimitNOFILE=), it
 * has files of its own, and many calls at once read thousands of attributes beside each other.
 */
const MOST = 128;

let open = 0;
const waiting: (() => void)[] = [];

/** Runs the reader once few enough files are open, first come, first served. */
export async function whileFilesMayOpen<Result>(read: () => Promise<Result>): Promise<Result> {
  if (open >= MOST)
    await new Promise<void>((resolve) => {
      waiting.push(resolve);
    });
  else open += 1;
  try {
    return await read();
  } finally {
    const next = waiting.shift();
    if (next === undefined) open -= 1;
    else next();
  }
}
