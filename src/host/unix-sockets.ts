/**
 * `Num RefCount Protocol Flags Type St Inode Path` (net/unix/af_unix.c, unix_seq_show). The zero byte in front of an
 * abstract name is shown as `@`, and so are those behind it.
 */
const LINE = /^[\da-f]+: [\da-f]{8} [\da-f]{8} ([\da-f]{8}) [\da-f]{4} [\da-f]{2} +\d+ (.+)$/i;
/** __SO_ACCEPTCON: a socket that listens. Its connections show the same name. */
const LISTENING = 0x10000;

/**
 * Whether somebody listens on a socket of this name.
 * @param text of /proc/net/unix
 * @param name with `@` in front for an abstract one
 */
export function isListenedOn(text: string, name: string): boolean {
  return text.split('\n').some((line) => {
    const [, flags, path] = LINE.exec(line) ?? [];
    return flags !== undefined && (Number.parseInt(flags, 16) & LISTENING) !== 0 && path?.replace(/@+$/, '') === name;
  });
}
