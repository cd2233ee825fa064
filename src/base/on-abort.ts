/** Who waits for each signal to abort. One listener serves them all: Node.js warns of a leak when a signal has many. */
const WAITING = new WeakMap<AbortSignal, Set<{ readonly tell: () => void }>>();

/** Calls `tell` when the signal aborts. @returns what takes it off again */
export function onAbort(signal: AbortSignal, tell: () => void): () => void {
  const waiting = WAITING.get(signal) ?? listenTo(signal);
  const entry = { tell };
  waiting.add(entry);
  return () => {
    waiting.delete(entry);
  };
}

function listenTo(signal: AbortSignal): Set<{ readonly tell: () => void }> {
  const waiting = new Set<{ readonly tell: () => void }>();
  WAITING.set(signal, waiting);
  signal.addEventListener(
    'abort',
    () => {
      for (const { tell } of [...waiting]) tell();
    },
    { once: true },
  );
  return waiting;
}
