export type LogFields = Readonly<Record<string, unknown>>;

/** Where the library speaks: one line for each change of the host's state, fields rather than prose. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
}

/** For callers that want silence. */
export const SILENT: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined };
