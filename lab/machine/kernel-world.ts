import { Container } from 'inversify';
import { SILENT } from '../../src/base/logger.js';
import { readConnectionInfo } from '../../src/connection/read-connection-info.js';
import { NodeFileSystem } from '../../src/host/node/node-file-system.js';
import type { Transport } from '../../src/hardware/transport.js';
import { volumeDriverModule } from '../../src/module.js';
import type { PublishedVolume, VolumeWorld } from '../../src/testing/index.js';
import { TOKENS } from '../../src/tokens.js';
import { Interrupter } from '../../test/fakes/interrupting.js';
import { holdOpen } from './hold-open.js';
import { ISER_ADDRESS, LioTarget, TCP_ADDRESSES } from './lio-target.js';
import { LioVolume } from './lio-volume.js';
import { RecordedCommands } from './recorded-commands.js';
import { compareResidue, readResidue } from './residue.js';

const SIZE_MIB = 64;

export interface KernelWorldOptions {
  /** The `[libvirt]` table of a config file. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly volumeType?: 'iscsi' | 'iser';
  /** The transport that the target's portal serves. */
  readonly serves?: 'tcp' | 'iser';
  readonly iface?: string;
  /** What the session must run over, where that is not what the portal serves. */
  readonly transport?: Transport;
  /** How many portals the target has, and so how many paths a volume; 1 when absent. */
  readonly portals?: 1 | 2 | 4;
  readonly processLimits?: NonNullable<VolumeWorld['processLimits']>;
}

export interface KernelWorld extends VolumeWorld {
  readonly container: Container;
  /** The volumes as the target keeps them, in the order of publish(). */
  readonly volumes: readonly LioVolume[];
}

/** The machine's own kernel, initiator and target, with the real driver on them. */
export async function openKernelWorld({
  config = {},
  volumeType = 'iscsi',
  serves = 'tcp',
  iface = serves === 'iser' ? 'iser' : 'default',
  transport = serves,
  portals = 1,
  processLimits,
}: KernelWorldOptions = {}): Promise<KernelWorld> {
  const before = await readResidue();
  const disposables: (() => Promise<void>)[] = [];
  const volumes: LioVolume[] = [];
  const interrupter = new Interrupter();
  const container = new Container();
  container.load(volumeDriverModule({ config: { login_timeout_seconds: 3, device_timeout_seconds: 3, ...config } }));
  container.rebind(TOKENS.logger).toConstantValue(SILENT);
  const commands = new RecordedCommands(container.get(TOKENS.commands));
  const files = new NodeFileSystem();
  container.rebind(TOKENS.commands).toConstantValue(interrupter.watch(commands));
  container.rebind(TOKENS.fileSystem).toConstantValue(interrupter.watch(files));
  container.rebind(TOKENS.deviceUsers).toConstantValue(interrupter.watch(files));
  const locks = container.get(TOKENS.locks);
  let lockHelpers = 0;
  container.rebind(TOKENS.locks).toConstantValue({
    hold: async (keys, signal, body) => {
      lockHelpers += keys.length;
      return await locks.hold(keys, signal, body);
    },
  });
  return {
    container,
    volumes,
    iface,
    transport,
    ...(processLimits === undefined ? {} : { processLimits }),
    driver: container.get(TOKENS.driverFor)(volumeType),
    deadPortal: serves === 'iser' ? '10.98.0.99:3260' : '10.99.1.99:3260',
    publish: async (count) => {
      const addresses = serves === 'iser' ? [ISER_ADDRESS] : TCP_ADDRESSES.slice(0, portals);
      const ifaces = container.get(TOKENS.options).iscsiIface.length;
      const iqn = `iqn.2026-11.org.example:${ifaces}-${volumes.length}-${Date.now()}`;
      const made = await Promise.all(
        Array.from({ length: count }, (_unused, index) =>
          LioVolume.create({ name: `kernel-world-${volumes.length + index}`, sizeMiB: SIZE_MIB }),
        ),
      );
      const target = new LioTarget({
        iqn,
        luns: Object.fromEntries(made.map((volume, lun) => [lun, volume])),
        portals: addresses.map((address) => ({ address, iser: serves === 'iser' })),
      });
      volumes.push(...made);
      disposables.push(async () => {
        target.remove();
        for (const volume of made) await volume.remove();
      });
      return made.map((volume, lun): PublishedVolume => ({
        sizeBytes: SIZE_MIB * 2 ** 20,
        connectionInfo: {
          driver_volume_type: volumeType,
          serial: volume.serial,
          data: { ...pathsTo(iqn, lun, addresses), volume_id: volume.name },
        },
      }));
    },
    grow: async ({ connectionInfo }, sizeBytes) => {
      const { volumeId } = readConnectionInfo(connectionInfo);
      await volumes.find(({ name }) => name === volumeId)?.resize(sizeBytes / 2 ** 20);
    },
    holdOpen,
    abortAfter: (uses) => interrupter.abortAfter(uses),
    residue: async () =>
      compareResidue(before, await readResidue()).filter((line) => !/^\+ (?:target|network device lo)/.test(line)),
    processesStarted: () => commands.processes.length + lockHelpers,
    [Symbol.asyncDispose]: async () => {
      for (const dispose of disposables.toReversed()) await dispose();
      commands.requireIface();
    },
  };
}

/** One path in the singular keys, several in the plural ones: Cinder has both forms. */
function pathsTo(iqn: string, lun: number, addresses: readonly string[]): object {
  const portals = addresses.map((address) => `${address}:3260`);
  if (portals.length === 1) return { target_portal: portals[0], target_iqn: iqn, target_lun: lun };
  return { target_portals: portals, target_iqns: portals.map(() => iqn), target_luns: portals.map(() => lun) };
}
