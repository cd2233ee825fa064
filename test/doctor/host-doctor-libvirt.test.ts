import { describe, expect, test } from '@jest/globals';
import { VolumeError } from '../../src/base/volume-error.js';
import { DoctorHost } from './doctor-host.js';

describe('libvirt', () => {
  const down = (host: DoctorHost): void => {
    host.libvirt.stopDaemon();
  };
  test.each([
    ['the one daemon', [], {}, 'systemctl start libvirtd.socket'],
    ['the modular daemons', ['/usr/lib/systemd/system/libvirtd.socket'], {}, 'systemctl start virtqemud.socket'],
    ['another host', [], { uri: 'qemu+ssh://other/system' }, undefined],
  ] as const)('examine() names a stopped libvirt and its start command: %s', async (_what, removed, config, hint) => {
    const host = new DoctorHost();
    down(host);
    host.tree.write('/usr/lib/systemd/system/virtqemud.socket', '');
    for (const path of removed) host.tree.remove(path);
    expect((await host.findings(config)).find(({ code }) => code === 'LIBVIRT_UNREACHABLE')).toMatchObject({
      severity: 'error',
      hint,
      message: expect.stringMatching(/^libvirt does not answer at qemu/) as unknown,
    });
  });

  test('examine() names a libvirt that refuses this user, without a command', async () => {
    const host = new DoctorHost();
    host.libvirt.lookupDomain = () =>
      Promise.reject(new VolumeError('PERMISSION_DENIED', 'Cannot log in to libvirt: polkit did not allow it'));
    expect(await host.problems()).toEqual([
      'error LIBVIRT_UNREACHABLE libvirt does not answer at qemu:///system: Cannot log in to libvirt: polkit did ' +
        'not allow it | no command',
    ]);
  });
});
