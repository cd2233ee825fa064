import { Container } from 'inversify';
import { type Logger, SILENT } from '../../src/base/logger.js';
import type { VolumeDriver } from '../../src/driver/volume-driver.js';
import type { FileSystem } from '../../src/host/file-system.js';
import { volumeDriverModule } from '../../src/module.js';
import { TOKENS } from '../../src/tokens.js';
import { RecordedCommands } from './recorded-commands.js';

export interface LabDriver extends VolumeDriver {
  /** What it ran. */
  readonly commands: RecordedCommands;
}

/**
 * The driver as a compute service gets it, from a container of its own.
 * @param config the `[libvirt]` table of its config file
 * @param seen what it sees of this machine's files
 */
export function volumeDriver(
  config: Readonly<Record<string, unknown>>,
  volumeType = 'iscsi',
  logger: Logger = SILENT,
  seen = (files: FileSystem): FileSystem => files,
): LabDriver {
  const container = new Container();
  container.load(volumeDriverModule({ config }));
  container.rebind(TOKENS.logger).toConstantValue(logger);
  const commands = new RecordedCommands(container.get(TOKENS.commands));
  container.rebind(TOKENS.commands).toConstantValue(commands);
  const files = seen(container.get(TOKENS.fileSystem));
  container.rebind(TOKENS.fileSystem).toConstantValue(files);
  const driver = container.get(TOKENS.driverFor)(volumeType);
  return Object.assign(driver, {
    commands,
    [Symbol.asyncDispose]: async () => {
      await container.unbindAllAsync();
    },
  });
}
