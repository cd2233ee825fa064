import { Buffer } from 'node:buffer';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { SILENT } from '../../../src/base/logger.js';
import { Secret } from '../../../src/base/secret.js';
import type { DeviceRemoved } from '../../../src/libvirt/libvirt.js';
import type { Packet } from '../../../src/libvirt/rpc/packet.js';
import { onDomain } from '../../../src/libvirt/rpc/messages.js';
import {
  AUTH_TYPE,
  KEEPALIVE,
  KEEPALIVE_PROGRAM,
  LIBVIRT_ERROR,
  PROCEDURE,
} from '../../../src/libvirt/rpc/protocol.js';
import { RpcLibvirt } from '../../../src/libvirt/rpc/rpc-libvirt.js';
import { XdrWriter } from '../../../src/libvirt/rpc/xdr-writer.js';
import { FakeDaemon, GUEST, reply } from '../fake-daemon.js';

const guest = { kind: 'name', name: GUEST.name } as const;
const found = { name: GUEST.name, uuid: GUEST.uuid, active: true, persistent: true };
const never = new AbortController().signal;
const XML = '<domain/>';

let daemon: FakeDaemon;
let libvirt: RpcLibvirt;

const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await sleep(2);
};
const hears = (procedure: number): Promise<void> =>
  until(() => daemon.heard.some((packet) => packet.procedure === procedure));

beforeEach(async () => {
  daemon = await FakeDaemon.started();
  libvirt = new RpcLibvirt({ uri: daemon.uri, logger: SILENT, callTimeoutMs: 5_000 });
});

afterEach(async () => {
  await libvirt.close();
  await daemon.dispose();
});

describe('RpcLibvirt', () => {
  test('RpcLibvirt connects once for many calls at the same moment', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => libvirt.lookupDomain(guest, never)));
    expect(answers).toEqual(answers.map(() => found));
    expect(daemon.connections).toBe(1);
  });

  test('RpcLibvirt matches answers to calls by serial, in whatever order they come', async () => {
    const held: (() => void)[] = [];
    daemon.answer(PROCEDURE.domainGetXmlDesc, (call, socket) => {
      held.unshift(() => {
        socket.write(reply(call, new XdrWriter().string(`<domain n='${call.serial}'/>`)));
      });
      if (held.length === 3) for (const send of held) send();
      return undefined;
    });
    const answers = await Promise.all([1, 2, 3].map(() => libvirt.domainXml(guest, 'live', never)));
    expect(new Set(answers).size).toBe(3);
    expect(answers).toEqual(answers.toSorted());
  });

  test('RpcLibvirt rejects pending calls with LIBVIRT_UNAVAILABLE when the socket ends, and reconnects', async () => {
    daemon.answer(PROCEDURE.domainGetXmlDesc, (_call, socket) => {
      socket.destroy();
      return undefined;
    });
    await expect(libvirt.domainXml(guest, 'live', never)).rejects.toMatchObject({ code: 'LIBVIRT_UNAVAILABLE' });
    await expect(libvirt.lookupDomain(guest, never)).resolves.toEqual(found);
  });

  test('RpcLibvirt rejects at once with LIBVIRT_UNAVAILABLE while the daemon is down, then recovers', async () => {
    await libvirt.lookupDomain(guest, never);
    await daemon.stop();
    await until(() => daemon.connections === 0);
    await expect(libvirt.lookupDomain(guest, never)).rejects.toMatchObject({
      code: 'LIBVIRT_UNAVAILABLE',
      hint: expect.stringContaining('systemctl start libvirtd.socket'),
    });
    await daemon.start();
    await expect(libvirt.lookupDomain(guest, never)).resolves.toEqual(found);
  });

  test('RpcLibvirt rejects with LIBVIRT_UNAVAILABLE when the daemon does not answer in time', async () => {
    daemon.answer(PROCEDURE.domainGetXmlDesc, () => undefined);
    const impatient = new RpcLibvirt({ uri: daemon.uri, logger: SILENT, callTimeoutMs: 50 });
    await expect(impatient.domainXml(guest, 'live', never)).rejects.toMatchObject({
      code: 'LIBVIRT_UNAVAILABLE',
      message: expect.stringContaining('no answer within 0.05 s'),
    });
    await impatient.close();
  });

  test('RpcLibvirt rejects an aborted call at once, and drops its late answer', async () => {
    const held: Packet[] = [];
    let send = (): void => undefined;
    daemon.answer(PROCEDURE.domainGetXmlDesc, (call, socket) => {
      held.push(call);
      send = () => {
        socket.write(reply(call, new XdrWriter().string(XML)));
      };
      return undefined;
    });
    const controller = new AbortController();
    const call = libvirt.domainXml(guest, 'live', controller.signal);
    const settled = expect(call).rejects.toMatchObject({ code: 'ABORTED' });
    await until(() => held.length === 1);
    controller.abort();
    await settled;
    send();
    await expect(libvirt.lookupDomain(guest, never)).resolves.toEqual(found);
    expect(daemon.connections).toBe(1);
  });

  test.each([
    ['what is no RPC at all', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['an absurd length', Buffer.from('ffffffff', 'hex')],
  ])('RpcLibvirt ends the connection on %s', async (_what, bytes) => {
    daemon.answer(PROCEDURE.domainGetXmlDesc, (_call, socket) => {
      socket.write(bytes);
      return undefined;
    });
    await expect(libvirt.domainXml(guest, 'live', never)).rejects.toMatchObject({ code: 'LIBVIRT_UNAVAILABLE' });
    await expect(libvirt.lookupDomain(guest, never)).resolves.toEqual(found);
  });

  test('RpcLibvirt ends the connection on an answer that is cut short', async () => {
    daemon.answer(PROCEDURE.domainGetXmlDesc, () => new XdrWriter().uint(100));
    await expect(libvirt.domainXml(guest, 'live', never)).rejects.toMatchObject({ code: 'LIBVIRT_UNAVAILABLE' });
    await until(() => daemon.connections === 0);
  });

  test('RpcLibvirt answers PING with PONG', async () => {
    await libvirt.lookupDomain(guest, never);
    daemon.sendPing();
    await until(() =>
      daemon.heard.some(
        ({ program, procedure }) => program === KEEPALIVE_PROGRAM.number && procedure === KEEPALIVE.pong,
      ),
    );
  });

  test.each([
    [LIBVIRT_ERROR.noDomain, 'DOMAIN_NOT_FOUND'],
    [LIBVIRT_ERROR.accessDenied, 'PERMISSION_DENIED'],
    [LIBVIRT_ERROR.authCancelled, 'PERMISSION_DENIED'],
    [38, 'LIBVIRT_REFUSED'],
  ])("RpcLibvirt turns libvirt's error %d into %s, with libvirt's words and numbers", async (code, expected) => {
    daemon.answer(PROCEDURE.domainLookupByName, () => ({ code, message: 'in its own words' }));
    await expect(libvirt.lookupDomain(guest, never)).rejects.toMatchObject({
      code: expected,
      message: 'Cannot find guest "guest": in its own words',
      details: { libvirtCode: code, libvirtDomain: 10 },
    });
  });

  test('RpcLibvirt logs in through polkit where the daemon demands it', async () => {
    daemon.answer(PROCEDURE.authList, () => new XdrWriter().uint(1).uint(AUTH_TYPE.polkit));
    daemon.answer(PROCEDURE.authPolkit, () => new XdrWriter().int(1));
    await expect(libvirt.lookupDomain(guest, never)).resolves.toEqual(found);
    expect(daemon.heard.slice(0, 3).map(({ procedure }) => procedure)).toEqual([
      PROCEDURE.authList,
      PROCEDURE.authPolkit,
      PROCEDURE.connectOpen,
    ]);
  });

  test.each([
    ['polkit that refuses', AUTH_TYPE.polkit],
    ['SASL', AUTH_TYPE.sasl],
  ])('RpcLibvirt rejects with PERMISSION_DENIED on %s', async (_what, type) => {
    daemon.answer(PROCEDURE.authList, () => new XdrWriter().uint(1).uint(type));
    daemon.answer(PROCEDURE.authPolkit, () => ({
      code: LIBVIRT_ERROR.authUnavailable,
      message: 'authentication unavailable',
    }));
    await expect(libvirt.lookupDomain(guest, never)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    await until(() => daemon.connections === 0);
  });

  test('onDeviceRemoved() calls the listener until its end, and again after the daemon was away', async () => {
    const events: DeviceRemoved[] = [];
    const unsubscribe = await libvirt.onDeviceRemoved((event) => events.push(event), never);
    daemon.sendDeviceRemoved('ua-1');
    await until(() => events.length === 1);
    await daemon.stop();
    await daemon.start();
    await until(() => daemon.connections === 0);
    await libvirt.lookupDomain(guest, never);
    daemon.sendDeviceRemoved('ua-2');
    await until(() => events.length === 2);
    await unsubscribe();
    daemon.sendDeviceRemoved('ua-3');
    await libvirt.lookupDomain(guest, never);
    expect(events).toEqual([
      { domainUuid: GUEST.uuid, alias: 'ua-1' },
      { domainUuid: GUEST.uuid, alias: 'ua-2' },
    ]);
  });

  test('onDeviceRemoved() subscribes once at the daemon, however many listen', async () => {
    await Promise.all([1, 2, 3].map(() => libvirt.onDeviceRemoved(() => undefined, never)));
    expect(daemon.heard.filter(({ procedure }) => procedure === PROCEDURE.domainEventCallbackRegisterAny)).toHaveLength(
      1,
    );
  });

  test('onDeviceRemoved() survives a listener that throws', async () => {
    const events: string[] = [];
    await libvirt.onDeviceRemoved(() => {
      throw new Error('careless');
    }, never);
    await libvirt.onDeviceRemoved(({ alias }) => events.push(alias), never);
    daemon.sendDeviceRemoved('ua-1');
    await until(() => events.length === 1);
    await expect(libvirt.lookupDomain(guest, never)).resolves.toEqual(found);
  });

  test('RpcLibvirt.defineSecret() sends the value as bytes, and no error shows it', async () => {
    const secret = new XdrWriter().fixedOpaque(new Uint8Array(16)).int(1).string('vol');
    daemon.answer(PROCEDURE.secretLookupByUsage, () => ({ code: LIBVIRT_ERROR.noSecret, message: 'Secret not found' }));
    daemon.answer(PROCEDURE.secretDefineXml, () => secret);
    daemon.answer(PROCEDURE.secretSetValue, () => ({ code: 1, message: 'disk full' }));
    daemon.answer(PROCEDURE.secretUndefine, () => new XdrWriter());
    const error: unknown = await libvirt
      .defineSecret({ type: 'volume', id: 'vol' }, new Secret('hush-hush'), never)
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'LIBVIRT_REFUSED' });
    expect(inspect(error, { depth: 9 })).not.toContain('hush');
    expect(
      daemon.heard.find(({ procedure }) => procedure === PROCEDURE.secretSetValue)?.payload.includes('hush-hush'),
    ).toBe(true);
    await hears(PROCEDURE.secretUndefine);
  });

  test('RpcLibvirt passes the scope of attachDevice(), detachDevice() and updateDevice() as flags', async () => {
    const flags: number[] = [];
    for (const procedure of [
      PROCEDURE.domainAttachDeviceFlags,
      PROCEDURE.domainDetachDeviceFlags,
      PROCEDURE.domainUpdateDeviceFlags,
    ]) {
      daemon.answer(procedure, ({ payload }) => {
        flags.push(payload.readUInt32BE(payload.length - 4));
        return new XdrWriter();
      });
    }
    await libvirt.attachDevice(guest, '<disk/>', { live: true, config: true }, never);
    await libvirt.detachDevice(guest, '<disk/>', { live: true, config: false }, never);
    await libvirt.detachDevice(guest, '<disk/>', { live: false, config: true }, never);
    await libvirt.updateDevice(guest, '<disk/>', { live: false, config: true }, never);
    expect(flags).toEqual([3, 1, 2, 2]);
  });

  test('RpcLibvirt.blockResize() sends the size in bytes, beyond 32 bits', async () => {
    daemon.answer(PROCEDURE.domainBlockResize, () => new XdrWriter());
    await libvirt.blockResize(guest, 'vdb', 5_000_000_000_000, never);
    const sent = daemon.heard.find(({ procedure }) => procedure === PROCEDURE.domainBlockResize)?.payload;
    expect(sent).toEqual(onDomain(GUEST).string('vdb').uhyper(5_000_000_000_000n).uint(1).bytes());
  });

  test('RpcLibvirt.blockCopy() copies to an existing device, and blockJobAbort() gives the wanted end', async () => {
    for (const procedure of [PROCEDURE.domainBlockCopy, PROCEDURE.domainBlockJobAbort])
      daemon.answer(procedure, () => new XdrWriter());
    await libvirt.blockCopy(guest, 'vdb', '<disk/>', never);
    await libvirt.blockJobAbort(guest, 'vdb', { pivot: true }, never);
    await libvirt.blockJobAbort(guest, 'vdb', { pivot: false }, never);
    const sent = daemon.heard
      .filter(({ procedure }) => procedure === PROCEDURE.domainBlockCopy || procedure === PROCEDURE.domainBlockJobAbort)
      .map(({ payload }) => payload);
    const onDisk = (): XdrWriter => onDomain(GUEST).string('vdb');
    expect(sent).toEqual([
      onDisk()
        .string('<disk/>')
        .uint(0)
        .uint(2 | 4)
        .bytes(),
      onDisk().uint(2).bytes(),
      onDisk().uint(0).bytes(),
    ]);
  });

  test.each([
    ['a copy', 1, 2, { kind: 'copy', copiedBytes: 5_000_000_000, totalBytes: 5_000_000_001 }],
    ['another job', 1, 4, { kind: 'other', copiedBytes: 5_000_000_000, totalBytes: 5_000_000_001 }],
    ['none', 0, 0, undefined],
  ])('RpcLibvirt.blockJob() reads %s', async (_what, isFound, type, job) => {
    daemon.answer(PROCEDURE.domainGetBlockJobInfo, () =>
      new XdrWriter().int(isFound).int(type).uhyper(0n).uhyper(5_000_000_000n).uhyper(5_000_000_001n),
    );
    await expect(libvirt.blockJob(guest, 'vdb', never)).resolves.toEqual(job);
  });

  test('RpcLibvirt.listDomains() asks for the whole list, whatever the guests do', async () => {
    const other = { name: 'stopped', uuid: '99999999-2222-4333-8444-555555555555', id: -1 };
    daemon.answer(PROCEDURE.connectListAllDomains, () =>
      new XdrWriter().uint(2).fixedOpaque(onDomain(GUEST).bytes()).fixedOpaque(onDomain(other).bytes()).uint(2),
    );
    await expect(libvirt.listDomains(never)).resolves.toEqual([
      { name: GUEST.name, uuid: GUEST.uuid },
      { name: other.name, uuid: other.uuid },
    ]);
    expect(daemon.heard.find(({ procedure }) => procedure === PROCEDURE.connectListAllDomains)?.payload).toEqual(
      new XdrWriter().int(1).uint(0).bytes(),
    );
  });

  test('RpcLibvirt.close() ends calls under way and all later ones', async () => {
    daemon.answer(PROCEDURE.domainGetXmlDesc, () => undefined);
    const call = expect(libvirt.domainXml(guest, 'live', never)).rejects.toMatchObject({ code: 'LIBVIRT_UNAVAILABLE' });
    await hears(PROCEDURE.domainGetXmlDesc);
    await libvirt.close();
    await call;
    await expect(libvirt.lookupDomain(guest, never)).rejects.toMatchObject({ code: 'LIBVIRT_UNAVAILABLE' });
    expect(daemon.heard.at(-1)?.procedure).toBe(PROCEDURE.connectClose);
  });

  test('RpcLibvirt rejects with LIBVIRT_UNAVAILABLE and names the socket when there is none', async () => {
    const nowhere = new RpcLibvirt({ uri: 'qemu:///system?socket=/nonexistent/sock', logger: SILENT });
    await expect(nowhere.lookupDomain(guest, never)).rejects.toMatchObject({
      code: 'LIBVIRT_UNAVAILABLE',
      details: { socket: '/nonexistent/sock' },
    });
    await nowhere.close();
  });

  test('RpcLibvirt refuses a URI that is no daemon of this host', () => {
    expect(() => new RpcLibvirt({ uri: 'qemu+ssh://host/system', logger: SILENT })).toThrow(RangeError);
  });
});
