import { describe, test } from '@jest/globals';
import { FakeLibvirt } from '../fakes/fake-libvirt.js';
import { libvirtContract } from './libvirt-contract.js';

const guest = { name: 'guest', uuid: '11111111-1111-4111-8111-111111111111' };
const stoppedGuest = { name: '7', uuid: '22222222-2222-4222-8222-222222222222' };

for (const hearsEvents of [true, false]) {
  libvirtContract(`FakeLibvirt ${hearsEvents ? 'with' : 'without'} events`, { describe, it: test }, async () => {
    const libvirt = new FakeLibvirt();
    libvirt.hearsEvents = hearsEvents;
    libvirt.addDomain(guest);
    libvirt.addDomain({ ...stoppedGuest, active: false });
    return {
      libvirt,
      guest,
      stoppedGuest,
      hearsEvents,
      diskXml: (targetDev, serial) =>
        `<disk type='block'><source dev='/dev/${serial}'/><target dev='${targetDev}' ` +
        `bus='scsi'/><serial>${serial}</serial></disk>`,
      copyTarget: (name) => ({
        xml: `<disk type='block'><driver type='raw'/><source dev='/dev/${name}'/></disk>`,
        path: `/dev/${name}`,
      }),
      close: () => libvirt.close(),
    };
  });
}
