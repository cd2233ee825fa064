/**
 * The initiator's name in the text of initiatorname.iscsi. Of several lines the last one counts: open-iscsi reads the file to its end (usr/iscsi_util.c,
 * cfg_get_string_param).
 * @returns `undefined` when no line gives one
 */
export function initiatorNameIn(text: string): string | undefined {
  const name = text.split('\n').map((line) => line.trim()).findLast((line) => line.startsWith('InitiatorName='))?.slice('InitiatorName='.length).trim();
  return name === '' ? undefined : name;
}
