import XMLBuilder from 'fast-xml-builder';

/** An XML element: attributes in their order, then either elements or text. Attributes without a value are left out. */
export interface XmlElement {
  readonly name: string;
  readonly attributes?: Readonly<Record<string, string | undefined>>;
  readonly content?: readonly XmlElement[] | string;
}

/** fast-xml-parser's form for ordered XML: one key that names the element, `:@` for its attributes. */
type OrderedNode = Readonly<Record<string, unknown>>;

const COMMON = {
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  suppressEmptyNode: true,
} as const;
const ON_ONE_LINE = new XMLBuilder(COMMON);
const INDENTED = new XMLBuilder({ ...COMMON, format: true, indentBy: '  ' });

/**
 * The element on one line, without an XML declaration. Values may hold any character that XML 1.0 allows; each is
 * escaped once, so `&amp;` in a value stays those five characters.
 */
export function writeXml(element: XmlElement): string {
  return ON_ONE_LINE.build([orderedNode(element)]);
}

/** As {@link writeXml}, each element on a line of its own, indented by two blanks, with a newline at the end. */
export function writeIndentedXml(element: XmlElement): string {
  return `${INDENTED.build([orderedNode(element)]).trimStart()}\n`;
}

function orderedNode({ name, attributes = {}, content = [] }: XmlElement): OrderedNode {
  const present = Object.entries(attributes).filter(([, value]) => value !== undefined);
  const children = typeof content === 'string' ? [{ '#text': content }] : content.map(orderedNode);
  return { [name]: children, ...(present.length === 0 ? {} : { ':@': Object.fromEntries(present) }) };
}
