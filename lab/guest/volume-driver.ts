import { Container } from 'inversify';
import { SILENT } from '../../src/base/logger.js';
import type { VolumeDriver } from '../../src/driver/volume-driver.js';
import { volumeDriverModule } from '../../src/module.js';
import { TOKENS } from '../../src/tokens.js';

/** The driver as a compute service gets it, from a container of its own. @param config the `[libvirt]` table of its config file */
export function volumeDriver(config: Readonly<Record<string, unknown>>, volumeType = 'iscsi'): VolumeDriver & AsyncDisposable {
  const container = new Container();
  container.load(volumeDriverModule({ config }));
  container.rebind(TOKENS.logger).toConstantValue(SILENT);
  const driver = container.get(TOKENS.driverFor)(volumeType);
  return Object.assign(driver, { [Symbol.asyncDispose]: () => container.get(TOKENS.libvirt).close() });
}
