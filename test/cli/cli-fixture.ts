import { EventEmitter } from 'node:events';
import { Container } from 'inversify';
import { VolumeError } from '../../src/base/volume-error.js';
import type { CliIo } from '../../src/cli/cli-io.js';
import { run } from '../../src/cli/run.js';
import type { Doctor } from '../../src/doctor/doctor.js';
import type { Finding } from '../../src/doctor/finding.js';
import type { VolumeDriver } from '../../src/driver/volume-driver.js';
import type { IfaceReport, IfaceReports } from '../../src/preflight/iface-report.js';
import { HostIfaceReports } from '../../src/preflight/host-iface-reports.js';
import { IfaceRecords } from '../../src/iface/iface-records.js';
import { IfaceGenerator } from '../../src/initiator/iface-generator.js';
import { TOKENS } from '../../src/tokens.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { fakeDatabase } from '../fakes/fake-database.js';
import { FakeHost } from '../fakes/fake-host.js';
import { FakeVolumeDriver } from '../fakes/fake-volume-driver.js';

/** What one run of the command line left behind. */
export interface CliResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliSettings {
  readonly driver?: VolumeDriver;
  /** What `ifaces` shows, in place of what the host has. */
  readonly ifaces?: readonly IfaceReport[];
  /** Whose ifaces are read, where `ifaces` does not say them, and written. */
  readonly host?: FakeHost;
  /** What the doctor finds, given where the options came from. */
  readonly findings?: (configOrigin: string) => readonly Finding[];
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly isTTY?: boolean;
  readonly signals?: EventEmitter;
}

export const VOLUME = {
  driver_volume_type: 'iscsi',
  serial: 'volume-1',
  data: {
    target_portal: '10.99.1.1:3260',
    target_iqn: 'iqn.2010-10.org.openstack:volume-1',
    target_lun: 0,
    auth_password: 'geheim',
  },
};

/** A command line whose world is in memory. Runs of one fixture share the driver. */
export function cli(settings: CliSettings = {}): (args: readonly string[], stdin?: string) => Promise<CliResult> {
  const driver = settings.driver ?? new FakeVolumeDriver();
  const clock = new FakeClock();
  const files = settings.host ?? new FakeHost({ clock });
  const database = fakeDatabase(files);
  const parts: HostParts = {
    ifaceRecords: new IfaceRecords({ files, database }),
    ifaceGenerator: new IfaceGenerator({ commands: files, files, database }),
    ifaces:
      settings.host === undefined || settings.ifaces !== undefined
        ? { list: async () => settings.ifaces ?? [] }
        : new HostIfaceReports({ files, database }),
    doctor: { examine: async (configOrigin) => settings.findings?.(configOrigin) ?? [] },
  };
  return async (args, stdin = settings.stdin ?? JSON.stringify(VOLUME)) => {
    const [stdout, stderr]: [string[], string[]] = [[], []];
    const io: CliIo = {
      stdout: { write: (text) => stdout.push(text) },
      stderr: { write: (text) => stderr.push(text) },
      stdin: chunks(stdin),
      env: settings.env ?? {},
      isTTY: settings.isTTY ?? false,
      signals: settings.signals ?? new EventEmitter(),
    };
    const status = await run(args, io, () => containerWith(driver, parts));
    return { status, stdout: stdout.join(''), stderr: stderr.join('') };
  };
}

interface HostParts {
  readonly ifaceRecords: IfaceRecords;
  readonly ifaceGenerator: IfaceGenerator;
  readonly ifaces: IfaceReports;
  readonly doctor: Doctor;
}

function containerWith(driver: VolumeDriver, { ifaceRecords, ifaceGenerator, ifaces, doctor }: HostParts): Container {
  const container = new Container();
  container.bind(TOKENS.driverFor).toConstantValue((volumeType) => {
    if (volumeType === driver.volumeType) return driver;
    throw new VolumeError('DRIVER_UNKNOWN', `No driver serves the driver_volume_type "${volumeType}"`, {
      details: { volumeType },
    });
  });
  container.bind(TOKENS.ifaceRecords).toConstantValue(ifaceRecords);
  container.bind(TOKENS.ifaceGenerator).toConstantValue(ifaceGenerator);
  container.bind(TOKENS.ifaces).toConstantValue(ifaces);
  container.bind(TOKENS.doctor).toConstantValue(doctor);
  return container;
}

/** In pieces that cut through characters, as a pipe gives them. */
async function* chunks(text: string): AsyncGenerator<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  for (let start = 0; start < bytes.length; start += 7) yield bytes.subarray(start, start + 7);
}
