import { createLogger, format, transports } from 'winston';
import type { LogFields, Logger } from '../../base/logger.js';

export type LogLevel = 'debug' | 'info' | 'warn' | 'silent';

/** winston, one line of JSON an event on standard error: standard output belongs to the program. */
export function winstonLogger(level: LogLevel): Logger {
  const winston = createLogger({
    level: level === 'silent' ? 'error' : level,
    silent: level === 'silent',
    format: format.combine(format.timestamp(), format.json()),
    // winston's own types name the class twice.
    // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment
    transports: [new transports.Console({ stderrLevels: ['error', 'warn', 'info', 'debug'] })],
  });
  return {
    debug: (message: string, fields: LogFields = {}) => {
      winston.debug(message, fields);
    },
    info: (message: string, fields: LogFields = {}) => {
      winston.info(message, fields);
    },
    warn: (message: string, fields: LogFields = {}) => {
      winston.warn(message, fields);
    },
  };
}
