import { describe, expect, test } from '@jest/globals';
import { adapterFor, parseLocalUri, socketPaths } from '../../src/libvirt/libvirt-uri.js';

const environment = { runtimeDirectory: '/run/user/1000', cacheDirectory: undefined, home: '/home/me' };

const pathsOf = (uri: string): readonly string[] | undefined => {
  const local = parseLocalUri(uri);
  return local === undefined ? undefined : socketPaths(local, environment);
};

describe('adapterFor()', () => {
  test.each([
    'qemu:///system',
    'qemu:///session',
    'qemu+unix:///system',
    'qemu:///system?socket=/tmp/sock',
    'test:///default',
    'lxc:///system',
  ])('adapterFor() chooses a socket of this host for %s', (uri) => {
    expect(adapterFor(uri)).toBe('rpc');
  });

  test.each([
    'qemu+ssh://root@host/system',
    'qemu+tls://host/system',
    'qemu+tcp://host/system',
    'qemu://host/system',
    'qemu:///embed',
    'esx://host',
    'qemu+libssh2:///system',
    'qemu:///system?mode=direct',
    'qemu:///system?socket=',
    'test:///path/to/file',
    'nonsense',
    '',
  ])('adapterFor() leaves %s to virsh', (uri) => {
    expect(adapterFor(uri)).toBe('virsh');
  });
});

describe('parseLocalUri()', () => {
  test('parseLocalUri() drops the transport and the query, which the daemon does not know', () => {
    expect(parseLocalUri('qemu+unix:///system?socket=/tmp/a%20b')).toEqual({
      name: 'qemu:///system',
      driver: 'qemu',
      scope: 'system',
      socket: '/tmp/a b',
    });
  });
});

describe('socketPaths()', () => {
  test('socketPaths() gives the socket of the one daemon first, then of the modular one', () => {
    expect(pathsOf('qemu:///system')).toEqual(['/run/libvirt/libvirt-sock', '/run/libvirt/virtqemud-sock']);
    expect(pathsOf('qemu:///session')).toEqual([
      '/run/user/1000/libvirt/libvirt-sock',
      '/run/user/1000/libvirt/virtqemud-sock',
    ]);
    expect(pathsOf('test:///default')).toEqual(['/run/libvirt/libvirt-sock']);
  });

  test('socketPaths() gives only the socket that the URI names', () => {
    expect(pathsOf('qemu:///session?socket=/tmp/s')).toEqual(['/tmp/s']);
  });

  test('socketPaths() falls back to the cache folder, as GLib does', () => {
    const session = parseLocalUri('qemu:///session');
    const home = { runtimeDirectory: undefined, cacheDirectory: undefined, home: '/home/me' };
    expect(session && socketPaths(session, home)[0]).toBe('/home/me/.cache/libvirt/libvirt-sock');
    expect(session && socketPaths(session, { ...home, cacheDirectory: '/cache' })[0]).toBe(
      '/cache/libvirt/libvirt-sock',
    );
  });
});
