#!/usr/bin/env node
import { Container } from 'inversify';
import { SILENT } from '../base/logger.js';
import { winstonLogger } from '../host/node/winston-logger.js';
import { volumeDriverModule } from '../module.js';
import { TOKENS } from '../tokens.js';
import { type MakeContainer, run } from './run.js';

const makeContainer: MakeContainer = ({ options, verbose }) => {
  const container = new Container();
  container.load(volumeDriverModule({ options }));
  container.rebind(TOKENS.logger).toConstantValue(verbose ? winstonLogger('debug') : SILENT);
  return container;
};

const { stdout, stderr, stdin, env } = process;
// Whoever read our output may be gone before its end (`| head`): that must not look like a mistake of this program.
for (const stream of [stdout, stderr]) stream.on('error', () => undefined);
const status = await run(
  process.argv.slice(2),
  { stdout, stderr, stdin, env, isTTY: stderr.isTTY, signals: process },
  makeContainer,
);
// Ended once what is still in the pipes is out, and not later: a login to a silent portal that nobody waits for would
// keep this process for its whole time.
stdout.write('', () => stderr.write('', () => process.exit(status)));
