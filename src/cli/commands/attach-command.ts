import { type Command, Option } from 'commander';
import { BUSES, DEVICE_TYPES } from '../../disk/disk-config.js';
import { formatDomainRef } from '../../libvirt/libvirt.js';
import type { Begin } from '../command-work.js';
import { domainArgument } from '../input/domain-argument.js';
import { connectionInfoOption } from '../input/file-options.js';
import { volumeDocument } from '../output/volume-document.js';
import { volumeText } from '../output/volume-text.js';
import { withoutFinalNewline } from '../input/without-final-newline.js';

interface AttachFlags {
  readonly connectionInfo: string;
  readonly dev: string;
  readonly bus: string;
  readonly type?: string;
  readonly unit?: string;
  readonly passphraseFile?: string;
}

/** `attach`: connect, disk-xml and libvirt in one, rolled back as a whole. */
export function addAttachCommand(program: Command, begin: Begin): void {
  program
    .command('attach')
    .description('Connects a volume and gives it to a guest. A failure undoes all of it.')
    .argument('<DOMAIN>', 'the guest: its name or UUID')
    .addOption(connectionInfoOption())
    .requiredOption('--dev <NAME>', "the disk's name in the guest, such as vdb")
    .addOption(new Option('--bus <BUS>', 'the bus it is on').choices(BUSES).makeOptionMandatory())
    .addOption(new Option('--type <TYPE>', 'what the guest sees (default: disk)').choices(DEVICE_TYPES))
    .option('--unit <N>', 'the unit on the controller, 0 to 255; only for --bus scsi')
    .option(
      '--passphrase-file <FILE>',
      'what opens an encrypted (LUKS) volume: the text of FILE less one newline at its end; - is stdin',
    )
    .addHelpText(
      'after',
      `
Examples:
  libvirt-volume attach web1 --connection-info volume.json --dev vdb --bus virtio
  libvirt-volume attach web1 --connection-info volume.json --dev sdb --bus scsi --unit 1 --json
  get-key volume-1 |
    libvirt-volume attach web1 --connection-info volume.json --dev vdb --bus virtio --passphrase-file -`,
    )
    .action((domainText: string, { connectionInfo: file, passphraseFile, ...diskInfo }: AttachFlags) => {
      const domain = domainArgument(domainText);
      begin({
        doing: `Attaching the volume to ${formatDomainRef(domain)}`,
        run: async ({ readJson, readBytes, driverFor, signal }) => {
          const connectionInfo = await readJson(file);
          const encryption =
            passphraseFile === undefined
              ? {}
              : { encryption: { passphrase: withoutFinalNewline(await readBytes(passphraseFile)) } };
          const { volume, diskXml } = await driverFor(connectionInfo).attach(domain, connectionInfo, diskInfo, {
            signal,
            ...encryption,
          });
          const name = formatDomainRef(domain);
          return {
            document: { ...volumeDocument(volume), diskXml, domain: name },
            text: `Attached to ${name} as ${diskInfo.dev}\n${volumeText(volume)}`,
            warnings: volume.warnings,
          };
        },
      });
    });
}
