import { Option } from 'commander';

/** `--connection-info FILE`, which most commands need. */
export function connectionInfoOption(): Option {
  return new Option('--connection-info <FILE>', "the storage service's connection_info as JSON; - is stdin").makeOptionMandatory();
}

/** `--force`, of the commands that take a volume away. */
export function forceOption(): Option {
  return new Option('--force', 'goes on past failures and reports all of them in the end; data that was not written out may be lost');
}
