import type { Command } from 'commander';
import { VolumeError } from '../../base/volume-error.js';
import type { Begin, CommandContext } from '../command-work.js';
import { fieldOf } from '../driver-of.js';
import { connectionInfoOption } from '../input/file-options.js';

interface DiskXmlFlags {
  readonly connectionInfo: string;
  readonly diskInfo: string;
  readonly secretUuid?: string;
}

/** `disk-xml`: what libvirt is to be told about the volume. */
export function addDiskXmlCommand(program: Command, begin: Begin): void {
  program
    .command('disk-xml')
    .description(
      "Prints the <disk> element for libvirt. The device is the connection_info's data.device_path, else that of " +
        'the connected volume.',
    )
    .addOption(connectionInfoOption())
    .requiredOption(
      '--disk-info <FILE>',
      'where the guest shall see the disk, as JSON: { "dev", "bus", "type", "unit" }; - is stdin',
    )
    .option('--secret-uuid <UUID>', 'the libvirt secret that opens the LUKS volume')
    .addHelpText(
      'after',
      `
Examples:
  libvirt-volume disk-xml --connection-info volume.json --disk-info disk.json
  echo '{"dev":"vdb","bus":"virtio"}' | libvirt-volume disk-xml --connection-info volume.json --disk-info -`,
    )
    .action((flags: DiskXmlFlags) => {
      begin({
        doing: 'Looking for the volume',
        run: async (context) => {
          const connectionInfo = await context.readJson(flags.connectionInfo);
          const diskInfo = await context.readJson(flags.diskInfo);
          const device = devicePathIn(connectionInfo) ?? (await connectedDevice(connectionInfo, context));
          const diskXml = context.driverFor(connectionInfo).diskXml(connectionInfo, diskInfo, device, flags.secretUuid);
          return { document: { device, diskXml }, text: diskXml.trimEnd(), warnings: [] };
        },
      });
    });
}

function devicePathIn(connectionInfo: unknown): string | undefined {
  const path = fieldOf(fieldOf(connectionInfo, 'data'), 'device_path');
  return typeof path === 'string' ? path : undefined;
}

async function connectedDevice(connectionInfo: unknown, { driverFor, signal }: CommandContext): Promise<string> {
  const volume = await driverFor(connectionInfo).find(connectionInfo, { signal });
  if (volume !== undefined) return volume.device.path;
  throw new VolumeError(
    'DEVICE_NOT_FOUND',
    'Cannot describe the disk: the volume is not connected to this host, and the connection_info has no ' +
      'data.device_path',
    {
      hint: 'Connect it first: libvirt-volume connect --connection-info FILE',
    },
  );
}
