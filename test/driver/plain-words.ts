import type { Argument } from '../../src/host/command.js';

/** An argument as the process gets it. */
export function plainWords(argument: Argument): string {
  return typeof argument === 'string' ? argument : argument.reveal();
}
