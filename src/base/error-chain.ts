/** One line for people: each message, outermost first, through causes and aggregates. */
export function errorChain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error instanceof AggregateError ? error.errors.map(errorChain).join('; ') : error.message;
  return error.cause === undefined ? own : `${own}: ${errorChain(error.cause)}`;
}
