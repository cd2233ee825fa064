const words = (text: string): readonly string[] => text.split(' ').filter((word) => word !== '');

const BELOW_DRIVER = words(
  'base connection host events database hardware iface config initiator device preflight disk libvirt guest volume',
);
const LIBRARY = [...BELOW_DRIVER, 'connector', 'doctor', 'recovery', 'driver'];

/**
 * Who may lean on whom: this table is the architecture. A room of src may import itself and the rooms listed, nothing
 * else.
 */
export const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  connection: words('base'),
  host: words('base'),
  events: words('base'),
  database: words('base host'),
  hardware: words('base host database'),
  iface: words('base host database hardware'),
  config: words('base hardware iface'),
  initiator: words('base connection host events database hardware iface'),
  device: words('base connection host initiator'),
  preflight: words('base connection host database hardware iface config'),
  disk: words('base connection config'),
  libvirt: words('base host'),
  guest: words('base connection host config initiator device disk libvirt'),
  volume: words('base connection host events database hardware iface config initiator device preflight disk'),
  connector: words('base host database hardware iface config initiator preflight'),
  doctor: words('base connection host database hardware iface config initiator preflight libvirt'),
  recovery: BELOW_DRIVER,
  driver: BELOW_DRIVER,
  testing: words('base hardware volume driver'),
  '.': LIBRARY,
  cli: ['.', ...LIBRARY],
};
