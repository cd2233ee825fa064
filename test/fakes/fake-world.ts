import { Container } from 'inversify';
import { SILENT } from '../../src/base/logger.js';
import { readConnectionInfo } from '../../src/connection/read-connection-info.js';
import type { Transport } from '../../src/hardware/transport.js';
import { volumeDriverModule } from '../../src/module.js';
import type { PublishedVolume, VolumeWorld } from '../../src/testing/index.js';
import { TOKENS } from '../../src/tokens.js';
import { FakeClock } from './fake-clock.js';
import { FakeHost } from './fake-host.js';
import { FakeHostNames } from './fake-host-names.js';
import { FakeLibvirt } from './fake-libvirt.js';
import { FakeLocks } from './fake-locks.js';
import type { FakeProcess } from './fake-processes.js';
import { FakeTarget } from './fake-target.js';
import { Interrupter } from './interrupting.js';

const GIB = 2 ** 30;

export interface FakeWorld extends VolumeWorld {
  readonly host: FakeHost;
  readonly libvirt: FakeLibvirt;
  /** The driver's. */
  readonly process: FakeProcess;
  readonly container: Container;
  readonly clock: FakeClock;
  readonly locks: FakeLocks;
  readonly hostNames: FakeHostNames;
}

/**
 * A made-up host with the real driver on it.
 * @param config the `[libvirt]` table of a config file
 * @param shared a world whose host this one is on
 * @param besides whether the process of that world goes on, or this one comes after its end
 */
export function openFakeWorld(
  config: Readonly<Record<string, unknown>> = {},
  volumeType: 'iscsi' | 'iser' = 'iscsi',
  shared?: FakeWorld,
  besides: 'in its place' | 'besides it' = 'in its place',
): FakeWorld {
  const clock = shared?.clock ?? new FakeClock();
  const host = shared?.host ?? new FakeHost({ clock });
  const libvirt = new FakeLibvirt();
  const hostNames = new FakeHostNames(host.names);
  if (besides === 'in its place') shared?.process.kill();
  const process = host.processes.start();
  const interrupter = new Interrupter();
  const locks = new FakeLocks();
  const container = new Container();
  container.load(volumeDriverModule({ config: { login_timeout_seconds: 2, device_timeout_seconds: 2, ...config } }));
  container.rebind(TOKENS.logger).toConstantValue(SILENT);
  container.rebind(TOKENS.clock).toConstantValue(clock);
  container.rebind(TOKENS.commands).toConstantValue(interrupter.watch(host));
  container.rebind(TOKENS.fileSystem).toConstantValue(interrupter.watch(host));
  container
    .rebind(TOKENS.netAddresses)
    .toConstantValue({ list: () => [{ netdev: 'eth0', address: '192.0.2.1', prefix: 24 }] });
  container.rebind(TOKENS.hostNames).toConstantValue(hostNames);
  container.rebind(TOKENS.deviceUsers).toConstantValue(interrupter.watch(host));
  container.rebind(TOKENS.locks).toConstantValue(locks);
  container.rebind(TOKENS.processes).toConstantValue(process);
  container.rebind(TOKENS.libvirt).toConstantValue(interrupter.watch(libvirt));
  const iface =
    volumeType === 'iser' ? 'iser' : typeof config['iscsi_iface'] === 'string' ? config['iscsi_iface'] : 'default';
  const transport: Transport = iface === 'iser' ? 'iser' : 'tcp';
  return {
    host,
    libvirt,
    process,
    container,
    clock,
    locks,
    hostNames,
    iface,
    transport,
    driver: container.get(TOKENS.driverFor)(volumeType),
    deadPortal: '192.0.2.99:3260',
    publish: async (count) => publishOn(host, { count, transport, volumeType }),
    grow: async ({ connectionInfo }, sizeBytes) => {
      const [{ target, lun }] = readConnectionInfo(connectionInfo).paths;
      host.targets.find(({ iqn }) => iqn === target)?.resize(lun, sizeBytes);
    },
    holdOpen: async (devicePath) => {
      const letGo = host.open(devicePath, { pid: 4711, name: 'qemu-system-x86' });
      return async () => {
        letGo();
      };
    },
    abortAfter: (uses) => interrupter.abortAfter(uses),
    residue: async () => host.residue(),
    processesStarted: () => host.commands.filter(({ program }) => program !== 'multipathd').length + locks.taken,
    [Symbol.asyncDispose]: async () => undefined,
  };
}

function publishOn(
  host: FakeHost,
  {
    count,
    transport,
    volumeType,
  }: { readonly count: number; readonly transport: Transport; readonly volumeType: string },
): readonly PublishedVolume[] {
  const iqn = `iqn.2026-11.org.example:target-${host.targets.length + 1}`;
  const target = new FakeTarget({
    iqn,
    portals: [{ address: '192.0.2.10', port: 3260, serves: transport === 'iser' ? 'iser' : 'tcp' }],
  });
  host.targets.push(target);
  return Array.from({ length: count }, (_unused, lun) => {
    target.units.set(lun, {
      wwid: `naa.6001405${String(host.targets.length).padStart(12, '0')}${String(lun).padStart(13, '0')}`,
      sizeBytes: GIB,
    });
    const id = `00000000-0000-4000-8000-${String(host.targets.length * 100 + lun).padStart(12, '0')}`;
    return {
      sizeBytes: GIB,
      connectionInfo: {
        driver_volume_type: volumeType,
        serial: id,
        data: { target_portal: '192.0.2.10:3260', target_iqn: iqn, target_lun: lun, volume_id: id },
      },
    };
  });
}
