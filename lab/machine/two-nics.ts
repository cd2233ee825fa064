import { readFileSync } from 'node:fs';
import { run } from './commands.js';
import { setUp } from './undo.js';

export const NICS = ['nic0', 'nic1'] as const;
export type Nic = (typeof NICS)[number];

/**
 * Two NICs, on a wire each, to a target's network (a namespace of its own). The portal is behind both, and the host's
 * routes prefer the first: what goes out of the second was bound to it.
 */
export class TwoNics implements AsyncDisposable {
  readonly namespace = 'far';
  readonly portal = '10.97.9.1';

  private constructor() {
    // made by lay()
  }

  static async lay(): Promise<TwoNics> {
    return await setUp(async (undo) => {
      const net = new TwoNics();
      const far = (...words: readonly string[]): Promise<string> => run('ip', ['-n', net.namespace, ...words]);
      await run('ip', ['netns', 'add', net.namespace]);
      undo.add(() => run('ip', ['netns', 'delete', net.namespace]));
      await far('address', 'add', `${net.portal}/32`, 'dev', 'lo');
      await far('link', 'set', 'lo', 'up');
      for (const [number, nic] of NICS.entries()) {
        await run('ip', ['link', 'add', nic, 'type', 'veth', 'peer', 'name', `far${number}`, 'netns', net.namespace]);
        undo.add(() => run('ip', ['link', 'delete', nic]));
        await run('ip', ['address', 'add', net.addressOf(nic) + '/24', 'dev', nic]);
        await far('address', 'add', `10.97.${number}.1/24`, 'dev', `far${number}`);
        await far('link', 'set', `far${number}`, 'up');
        await run('ip', ['link', 'set', nic, 'up']);
        await run('ip', [
          'route',
          'add',
          `${net.portal}/32`,
          'via',
          `10.97.${number}.1`,
          'dev',
          nic,
          'metric',
          String(100 * (number + 1)),
        ]);
      }
      return net;
    });
  }

  /** This host's end. */
  addressOf(nic: Nic): string {
    return `10.97.${NICS.indexOf(nic)}.2`;
  }

  macOf(nic: Nic): string {
    return readFileSync(`/sys/class/net/${nic}/address`, 'utf8').trim();
  }

  /** All that has gone over it so far, in either direction. */
  bytesOf(nic: Nic): number {
    return ['rx', 'tx']
      .map((way) => Number(readFileSync(`/sys/class/net/${nic}/statistics/${way}_bytes`, 'utf8')))
      .reduce((one, other) => one + other);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const nic of NICS) await run('ip', ['link', 'delete', nic]);
    await run('ip', ['netns', 'delete', this.namespace]);
  }
}
