import { expect } from '@jest/globals';
import type { Command, CommandResult } from '../../src/host/command.js';
import { infoFor, IQN, type RecordedWorld, WWID } from './recorded-world.js';
import { ROOT } from '../fakes/fake-release.js';

export const TCP = { address: '192.0.2.10', port: 3260, serves: 'tcp' } as const;
export const INFO = infoFor(['192.0.2.10:3260']);
export const NODE = `${ROOT}/nodes/${IQN}/192.0.2.10,3260,1`;
/** The volume's unit, as addTarget() has it, and another one. */
export const UNIT = { wwid: WWID, sizeBytes: 2 ** 30 };
export const OTHER_UNIT = { wwid: `naa.6001405${'8'.repeat(25)}`, sizeBytes: 2 ** 30 };

/** The iface of each login that was begun. */
export function logins({ host }: RecordedWorld): readonly string[] {
  return host.commands
    .filter(({ args }) => args.includes('--login'))
    .map(({ args }) => String(args[args.indexOf('-I') + 1]));
}

/** connect twice, disconnect: one login, one device, nothing left. */
export async function comesAndGoes(
  world: RecordedWorld,
  info: unknown,
  iface: string,
  transport: string,
): Promise<void> {
  const before = await world.residue();
  const first = await world.driver.connect(info);
  const second = await world.driver.connect(info);
  expect({ iface: first.paths[0].iface, transport: first.paths[0].transport, again: second.device.path }).toEqual({
    iface,
    transport,
    again: first.device.path,
  });
  expect(logins(world)).toEqual([iface]);
  expect(await world.driver.disconnect(info)).toEqual({ found: true, warnings: [] });
  expect(await world.residue()).toEqual(before);
}

/** Something else than the tool's own result reaches the driver. */
export function distort(
  { host }: RecordedWorld,
  change: (result: CommandResult, command: Command) => CommandResult,
): void {
  const run = host.run.bind(host);
  host.run = async (command, signal) => change(await run(command, signal), command);
}
