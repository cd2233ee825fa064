import type { FakeTree } from './fake-tree.js';

const isSpace = (char: string | undefined): boolean => char !== undefined && ' \t\n\v\f\r'.includes(char);

/**
 * The name that iscsid logs in by, out of its own file, letter by letter as usr/iscsi_util.c has it
 * (cfg_get_string_param): a code of its own, so that it does not share a mistake with the
 * library.
 */
export function nameOfFakeIscsid(tree: FakeTree): string | undefined {
  let rest = tree.read('/etc/iscsi/initiatorname.iscsi') ?? '';
  while (rest !== '') {
    const newline = rest.indexOf('\n');
    const line = rest.slice(0, Math.min(newline === -1 ? rest.length : newline + 1, 1023)); // fgets(buffer, 1024)
    rest = rest.slice(line.length);
    const param = line.indexOf('InitiatorName'); // strstr
    if (param === -1) continue;
    const comment = line.indexOf('#'); // strchr
    if (comment !== -1 && comment < param) continue;
    let at = param;
    while (at < line.length && line[at] !== '=') at++;
    if (at === line.length) continue;
    let [begin, end] = [at + 1, line.length]; // strstrip
    while (end > begin && isSpace(line[end - 1])) end--;
    while (begin < end && isSpace(line[begin])) begin++;
    if (begin < end) return line.slice(begin, end);
  }
  return undefined;
}
