import { errorChain } from '../../base/error-chain.js';
import type { Hardware, IscsiHost, Verdict } from '../../hardware/hardware.js';
import { cardsOf, TRANSPORT_FACTS } from '../../hardware/transport-facts.js';
import { isTransport, TRANSPORTS } from '../../hardware/transport.js';
import { ifaceEntry } from '../../iface/compare-iface-list.js';
import { DEFAULT_IFACE } from '../../iface/iface-name.js';
import { BUILT_IN_IFACES, type Iface } from '../../iface/iface.js';
import type { BrokenIface } from '../../iface/read-ifaces.js';
import { checkGenerated } from '../../preflight/check-iface-record.js';
import { verifyIface } from '../../preflight/verify-iface.js';
import { finding, type Finding } from '../finding.js';
import type { ChosenIface, HostState, IfaceState } from '../host-state.js';
import { putAside, removeIfEmpty } from '../remedies.js';
import { ifSeen } from '../seen.js';

/**
 * Whether each iface of `iscsi_iface` can carry a session, and what becomes of volumes where it cannot; then the
 * records that nobody chose.
 */
export function checkIfaces({ database, ifaces, options: { iscsiIfaceFallback } }: HostState): readonly Finding[] {
  if (ifaces.kind === 'unseen' && database.kind === 'unseen') return []; // its finding says why
  return ifSeen(ifaces, (state) => [
    ...state.chosen.map((chosen) => checkChosen(chosen, state, iscsiIfaceFallback)),
    ...checkRecords(state),
    ...checkIscsiuio(state),
  ]);
}

function checkChosen(chosen: ChosenIface, { hardware, root }: IfaceState, fallback: 'default' | 'none'): Finding {
  if (chosen.kind === 'damaged')
    return finding(
      'IFACE_UNUSABLE',
      `the iface ${chosen.broken.name} cannot be used: ${chosen.broken.reason}`,
      removing(root, chosen.broken),
    );
  if (chosen.kind === 'not-found')
    return finding(
      'IFACE_NOT_FOUND',
      errorChain(chosen.error),
      hardware.hosts.some(isAdapter) ? 'libvirt-volume ifaces generate' : undefined,
    );
  const { iface, isNew, note } = chosen.resolved;
  const verdict = verifyIface(iface, hardware);
  if (verdict.kind === 'usable' && note !== undefined) return finding('IFACE_FALLS_BACK', note);
  if (verdict.kind === 'usable')
    return finding(
      'IFACE_USABLE',
      `the iface ${iface.name} can be used, over ` +
        `${iface.transport}${isNew ? '; its record is made at the first login' : ''}`,
    );
  return unusable(
    iface,
    verdict,
    fallback === 'default' && iface.transport !== 'tcp' ? verifyIface(tcp(), hardware) : undefined,
  );
}

/** A card's own host: open-iscsi makes records of these. */
function isAdapter({ transport }: IscsiHost): boolean {
  return isTransport(transport) && TRANSPORT_FACTS[transport].unbound !== 'none';
}

/** @param instead the verdict of the iface that would be used instead; absent when there is none */
function unusable(
  { name, transport }: Iface,
  { reason, hint }: Extract<Verdict, { readonly kind: 'unusable' }>,
  instead: Verdict | undefined,
): Finding {
  if (instead?.kind === 'usable')
    return finding(
      'IFACE_FALLS_BACK',
      `volumes will go over TCP and not over ${transport}: the iface ${name} cannot be used: ${reason}`,
      hint,
    );
  const why = instead === undefined ? '' : `; nor can default, its fallback: ${instead.reason}`;
  return finding('IFACE_UNUSABLE', `the iface ${name} cannot be used: ${reason}${why}`, hint);
}

function tcp(): Iface {
  const [found] = BUILT_IN_IFACES.filter(({ name }) => name === DEFAULT_IFACE);
  if (found === undefined) throw new Error('open-iscsi has no iface "default"');
  return found;
}

function removing(root: string, { name, isEmpty }: BrokenIface): string {
  const path = `${root}/ifaces/${name}`;
  return isEmpty === true ? removeIfEmpty(path) : putAside(path);
}

/**
 * What is wrong with records that `iscsi_iface` does not mean; those it means have their verdict. A generated record
 * has no address: that is no fault until it is used.
 */
function checkRecords({ inventory, chosen, hardware, root }: IfaceState): readonly Finding[] {
  const meant = new Set(chosen.map(nameOf));
  const misfits = inventory.ifaces
    .filter(({ name, builtIn }) => !builtIn && !meant.has(name))
    .flatMap((iface) => checkGenerated(ifaceEntry(iface), hardware));
  return [
    ...inventory.broken
      .filter(({ name }) => !meant.has(name))
      .map((broken) =>
        finding(
          'IFACE_RECORD_BROKEN',
          `the iface record ${broken.name} is broken: ${broken.reason}`,
          removing(root, broken),
        ),
      ),
    ...misfits
      .filter(({ code }) => code !== 'IPADDRESS_MISSING')
      .map(({ iface, reason, hint }) =>
        finding('IFACE_RECORD_MISFIT', `the iface record ${iface} does not fit the hardware: ${reason}`, hint),
      ),
  ];
}

function nameOf(chosen: ChosenIface): string | undefined {
  switch (chosen.kind) {
    case 'found':
      return chosen.resolved.iface.name;
    case 'damaged':
      return chosen.broken.name;
    case 'not-found':
      return undefined;
    default:
      return chosen satisfies never;
  }
}

/**
 * Needed as soon as somebody has a card or a record of bnx2i or qedi; where the verdict of an iface says so already, it
 * is not said again.
 */
function checkIscsiuio({ inventory, chosen, hardware }: IfaceState): readonly Finding[] {
  if (
    hardware.iscsiuioRuns ||
    chosen.some((one) => one.kind === 'found' && lacksIscsiuio(one.resolved.iface, hardware))
  )
    return [];
  const wanting = TRANSPORTS.filter((transport) => TRANSPORT_FACTS[transport].needsIscsiuio).filter(
    (transport) =>
      cardsOf(transport, hardware.pci).length > 0 || inventory.ifaces.some((iface) => iface.transport === transport),
  );
  return wanting.length === 0
    ? []
    : [
        finding(
          'ISCSIUIO_NOT_RUNNING',
          `iscsiuio does not run, and ${wanting.join(' and ')} connects through it`,
          'systemctl start iscsiuio.socket',
        ),
      ];
}

function lacksIscsiuio(iface: Iface, hardware: Hardware): boolean {
  const verdict = verifyIface(iface, hardware);
  return verdict.kind === 'unusable' && verdict.code === 'NO_ISCSIUIO';
}
