import { Command, CommanderError } from 'commander';
import { VolumeError } from '../../base/volume-error.js';
import { addAttachCommand } from '../commands/attach-command.js';
import type { CommandWork } from '../command-work.js';
import { addConnectCommand } from '../commands/connect-command.js';
import { addDetachCommand } from '../commands/detach-command.js';
import { addDisconnectCommand } from '../commands/disconnect-command.js';
import { addDiskXmlCommand } from '../commands/disk-xml-command.js';
import { addDoctorCommand } from '../commands/doctor-command.js';
import { addExtendCommand } from '../commands/extend-command.js';
import { addIfacesCommand } from '../commands/ifaces-command.js';
import { addReconcileCommand } from '../commands/reconcile-command.js';
import { addStatusCommand } from '../commands/status-command.js';
import { addSwapCommand } from '../commands/swap-command.js';
import { packageVersion } from '../version.js';

export interface GlobalFlags {
  readonly config?: string;
  readonly json?: boolean;
  readonly verbose?: boolean;
}

/** What the arguments ask for: a text about the command line itself, or work. */
export type Request =
  | { readonly kind: 'help' | 'version'; readonly text: string }
  | { readonly kind: 'work'; readonly work: CommandWork; readonly flags: GlobalFlags };

const COMMANDS = [
  addConnectCommand,
  addDisconnectCommand,
  addDiskXmlCommand,
  addAttachCommand,
  addDetachCommand,
  addExtendCommand,
  addSwapCommand,
  addIfacesCommand,
  addDoctorCommand,
  addStatusCommand,
  addReconcileCommand,
];

/**
 * @param args the arguments after the program's name
 * @throws {VolumeError} `USAGE`
 */
export function parseArguments(args: readonly string[]): Request {
  const printed: string[] = [];
  const begun: CommandWork[] = [];
  const program = newProgram((text) => printed.push(text));
  for (const add of COMMANDS) add(program, (work) => begun.push(work));
  try {
    program.parse(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode !== 0)
      throw usageError(error, program.commands.find((command) => args.includes(command.name()))?.name());
    return { kind: error.code === 'commander.version' ? 'version' : 'help', text: printed.join('') };
  }
  const [work] = begun;
  if (work === undefined) throw new VolumeError('USAGE', 'No command is given', { hint: 'libvirt-volume --help' });
  return { kind: 'work', work, flags: program.opts<GlobalFlags>() };
}

function newProgram(print: (text: string) => void): Command {
  return new Command('libvirt-volume')
    .description('iSCSI volumes for libvirt guests, over any transport of open-iscsi.')
    .version(packageVersion(), '--version', 'prints the version')
    .helpOption('--help', 'prints this help')
    .helpCommand(false)
    .option('--config <FILE>', 'the config file (default: LIBVIRT_VOLUME_CONFIG, then /etc/libvirt-volume/config.toml)')
    .option('--json', 'prints one JSON document and nothing else on stdout')
    .option('--verbose', 'prints what is done on stderr; so does LIBVIRT_VOLUME_LOG=debug')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ writeOut: print, writeErr: () => undefined })
    .exitOverride()
    .addHelpText(
      'after',
      `
Exit status: 0 done, 1 refused or failed, 2 wrong usage or bad input.

Examples:
  libvirt-volume doctor
  libvirt-volume ifaces
  libvirt-volume connect --connection-info volume.json
  libvirt-volume attach web1 --connection-info volume.json --dev vdb --bus virtio
  libvirt-volume detach web1 --connection-info volume.json`,
    );
}

/** commander's message in this house's form; with no command at all it has none. */
function usageError({ code, message }: CommanderError, command: string | undefined): VolumeError {
  if (code === 'commander.help')
    return new VolumeError('USAGE', 'No command is given', { hint: 'libvirt-volume --help' });
  const [what = '', suggestion] = message.replace(/^error: /, '').split('\n');
  const help = `libvirt-volume ${command === undefined ? '' : `${command} `}--help`;
  return new VolumeError('USAGE', `Wrong usage: ${what}`, {
    hint: suggestion === undefined ? help : `${suggestion.replace(/^\((.*)\)$/, '$1')} See ${help}`,
  });
}
