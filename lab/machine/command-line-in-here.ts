import { Container } from 'inversify';
import { SILENT } from '../../src/base/logger.js';
import { run } from '../../src/cli/run.js';
import { volumeDriverModule } from '../../src/module.js';
import { TOKENS } from '../../src/tokens.js';
import type { Outcome, RunAs } from './libvirt-volume.js';

/**
 * Runs the command line in this process: what takes a process of its own seconds under emulation, most of it to load,
 * takes none here.
 */
export async function commandLineInHere(
  args: readonly string[],
  { env = {}, input = '' }: RunAs = {},
): Promise<Outcome> {
  const begin = performance.now();
  const texts = { stdout: '', stderr: '' };
  const sink = (name: keyof typeof texts): { write: (text: string) => void } => ({
    write: (text) => {
      texts[name] += text;
    },
  });
  const io = {
    stdout: sink('stdout'),
    stderr: sink('stderr'),
    stdin: textStream(input),
    env,
    isTTY: false,
    signals: process,
  };
  const status = await run(args, io, ({ options }) => {
    const container = new Container();
    container.load(volumeDriverModule({ options }));
    container.rebind(TOKENS.logger).toConstantValue(SILENT);
    return container;
  });
  return {
    status,
    stdout: texts.stdout,
    stderr: texts.stderr.replaceAll(/^.* … \d+ s\n/gm, ''),
    ms: Math.round(performance.now() - begin),
  };
}

async function* textStream(text: string): AsyncGenerator<string> {
  yield text;
}
