import { inspect } from 'node:util';
import { VolumeError } from '../../src/base/volume-error.js';
import type { NetAddress } from '../../src/host/net-addresses.js';
import type { FakePortal, FakeTarget } from '../fakes/fake-target.js';
import { addTarget, infoFor, openRecordedWorld, type RecordedWorld, WWID } from './recorded-world.js';

export const ADDRESSES = ['192.0.2.10', '192.0.2.11', '192.0.2.12', '192.0.2.13'];
export const PORTALS = ADDRESSES.map((address) => `${address}:3260`);
export const INFO = infoFor(PORTALS);
export const MULTIPATH = { volume_use_multipath: true };
export const MAP = { kind: 'multipath', path: '/dev/dm-0', name: 'mpatha', wwid: `3${WWID.slice(4)}` };

export function portalsOf(serves: FakePortal['serves'] = 'tcp', addresses = ADDRESSES): readonly FakePortal[] {
  return addresses.map((address) => ({ address, port: 3260, serves }));
}

export interface MultipathWorld extends RecordedWorld {
  readonly target: FakeTarget;
}

/** A host whose multipathd runs, and a target with four portals. */
export function openMultipathWorld(
  config: Readonly<Record<string, unknown>> = {},
  addresses?: readonly NetAddress[],
): MultipathWorld {
  const world = openRecordedWorld({ ...MULTIPATH, ...config }, undefined, addresses);
  world.host.kernel.multipathd.start();
  return { ...world, target: addTarget(world, portalsOf()) };
}

export async function failure(promise: Promise<unknown>): Promise<VolumeError> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (outcome instanceof VolumeError) return outcome;
  throw new Error(`Expected a VolumeError, not ${inspect(outcome)}`);
}

export function commandsOf({ host }: RecordedWorld): readonly string[] {
  return host.commands.map(({ program, args }) => [program, ...args.map(String)].join(' '));
}
