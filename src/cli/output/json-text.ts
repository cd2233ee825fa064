/** One JSON document as the command line prints it. */
export function jsonText(document: object): string {
  return `${JSON.stringify(document)}\n`;
}
