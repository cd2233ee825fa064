/**
 * One JSON document as the command line prints it. A bigint becomes a number: the sizes of disks are far below 2^53.
 */
export function jsonText(document: object): string {
  return `${JSON.stringify(document, (_key, value: unknown) => (typeof value === 'bigint' ? Number(value) : value))}\n`;
}
