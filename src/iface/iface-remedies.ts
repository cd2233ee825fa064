import { shellWords } from '../base/shell-words.js';

/** Deletes an iface record once root's own folder has what is in it: somebody may have made it by hand. */
export function deleteIfaceCommand(name: string): string {
  const iface = `iscsiadm -m iface ${shellWords('-I', name)}`;
  return `${iface} >> ${shellWords(`/root/iface-${name}`)} && ${iface} -o delete`;
}
