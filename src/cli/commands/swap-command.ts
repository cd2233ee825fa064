import type { Command } from 'commander';
import { formatDomainRef } from '../../libvirt/libvirt.js';
import type { Begin } from '../command-work.js';
import { domainArgument } from '../input/domain-argument.js';
import { volumeDocument } from '../output/volume-document.js';
import { volumeText } from '../output/volume-text.js';

/** `swap`: another volume in the place of one that a running guest has. */
export function addSwapCommand(program: Command, begin: Begin): void {
  program
    .command('swap')
    .description(
      'Puts another volume in the place of one that a running guest has: copies the data while the guest runs, ' +
        'moves the guest over, and takes the old volume from this host. When the ' +
        'copy fails, the guest stays on the old one.',
    )
    .argument('<DOMAIN>', 'the guest: its name or UUID')
    .requiredOption('--from <FILE>', "the old volume's connection_info as JSON; - is stdin")
    .requiredOption('--to <FILE>', "the new volume's connection_info as JSON; - is stdin")
    .addHelpText(
      'after',
      `
Examples:
  libvirt-volume swap web1 --from old.json --to new.json
  libvirt-volume swap web1 --from old.json --to new.json --json`,
    )
    .action((domainText: string, files: { readonly from: string; readonly to: string }) => {
      const domain = domainArgument(domainText);
      const name = formatDomainRef(domain);
      begin({
        doing: `Swapping the volume of ${name}`,
        run: async ({ readJson, driverFor, progress, signal }) => {
          const [from, to] = [await readJson(files.from), await readJson(files.to)];
          const { volume, guestResized, oldReleased, warnings } = await driverFor(to).swap(
            domain,
            from,
            to,
            {
              onProgress: ({ copiedBytes, totalBytes }) => {
                progress(`${totalBytes === 0 ? 0 : Math.floor((100 * copiedBytes) / totalBytes)} % copied`);
              },
            },
            signal,
          );
          return {
            document: { ...volumeDocument(volume), domain: name, guestResized, oldReleased, warnings },
            text:
              `${name} has the new ` +
              `volume${oldReleased ? '' : ', and the old one is still on this host'}\n${volumeText(volume)}`,
            warnings,
          };
        },
      });
    });
}
