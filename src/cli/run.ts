import type { Container } from 'inversify';
import type { VolumeOptions } from '../config/options.js';
import { loadConfig } from '../config/load-options.js';
import { TOKENS } from '../tokens.js';
import type { CliIo } from './cli-io.js';
import type { CommandOutput, CommandWork } from './command-work.js';
import { driverOf } from './driver-of.js';
import { inputReader } from './input/input-reader.js';
import { jsonText } from './output/json-text.js';
import { type GlobalFlags, parseArguments } from './input/parse-arguments.js';
import { withProgress } from './output/progress.js';
import { jsonReader } from './input/read-json-input.js';
import { reportError } from './output/report-error.js';
import { stopOnSignal } from './stop-on-signal.js';

/** What the container is made from. */
export interface ContainerRequest {
  readonly options: VolumeOptions;
  /** Whether the library's log goes to stderr; otherwise it goes nowhere. */
  readonly verbose: boolean;
}

/** Makes the container with the library's module in it. It is emptied (`unbindAllAsync`) before the run ends. */
export type MakeContainer = (request: ContainerRequest) => Container;

/**
 * Runs the command line once. Never rejects.
 * @param args the arguments after the program's name
 * @returns the exit status: 0 done, 1 refused or failed, 2 wrong usage or bad input
 */
export async function run(args: readonly string[], io: CliIo, makeContainer: MakeContainer): Promise<number> {
  const json = args.includes('--json');
  const verbose = args.includes('--verbose') || io.env['LIBVIRT_VOLUME_LOG'] === 'debug';
  try {
    const request = parseArguments(args);
    if (request.kind !== 'work') {
      io.stdout.write(json ? jsonText({ [request.kind]: request.text.trim() }) : request.text);
      return 0;
    }
    const output = await runWork(request.work, { io, makeContainer, flags: request.flags, verbose });
    printOutput(output, io, json);
    return output.exitStatus ?? 0;
  } catch (error) {
    return reportError(error, { io, json, verbose });
  }
}

interface Running {
  readonly io: CliIo;
  readonly makeContainer: MakeContainer;
  readonly flags: GlobalFlags;
  readonly verbose: boolean;
}

async function runWork(work: CommandWork, { io, makeContainer, flags, verbose }: Running): Promise<CommandOutput> {
  const { options, origin } = loadConfig({ configFile: flags.config, env: io.env });
  const container = makeContainer({ options, verbose });
  const readBytes = inputReader(io);
  try {
    return await stopOnSignal(io, (signal) =>
      withProgress(work.doing, io, (progress) =>
        work.run({
          readJson: jsonReader(readBytes),
          readBytes,
          driverFor: (connectionInfo) => driverOf(connectionInfo, container.get(TOKENS.driverFor)),
          ifaces: () => container.get(TOKENS.ifaces),
          ifaceRecords: () => container.get(TOKENS.ifaceRecords),
          ifaceGenerator: () => container.get(TOKENS.ifaceGenerator),
          doctor: () => container.get(TOKENS.doctor),
          recovery: () => container.get(TOKENS.recovery),
          configOrigin: origin,
          progress,
          signal,
        }),
      ),
    );
  } finally {
    await container.unbindAllAsync();
  }
}

function printOutput({ document, text, warnings }: CommandOutput, { stdout, stderr }: CliIo, json: boolean): void {
  if (!json) for (const warning of warnings) stderr.write(`warning: ${warning}\n`);
  stdout.write(json ? jsonText(document) : `${text}\n`);
}
