/**
 * The alias that attach() gives the disk and that detach() finds it by.
 * @returns `undefined` where there can be none: libvirt 9.0.0 drops an alias with any other character, even a dot,
 * without a word; a detach would wait for its event in vain
 */
export function userAlias(volumeId: string | undefined): string | undefined {
  return volumeId !== undefined && /^[A-Za-z0-9_-]+$/.test(volumeId) ? volumeId : undefined;
}
