const COMMANDS = {
  install: {
    debian: 'apt-get install open-iscsi',
    rhel: 'dnf install iscsi-initiator-utils',
    suse: 'zypper install open-iscsi',
  },
  upgrade: {
    debian: 'apt-get install --only-upgrade open-iscsi',
    rhel: 'dnf upgrade iscsi-initiator-utils',
    suse: 'zypper update open-iscsi',
  },
  reinstall: {
    debian: 'apt-get install --reinstall open-iscsi',
    rhel: 'dnf reinstall iscsi-initiator-utils',
    suse: 'zypper install --force open-iscsi',
  },
} as const;

type Family = keyof (typeof COMMANDS)['install'];

/**
 * The distribution's own command for its package of open-iscsi; absent for a distribution that is not known. @param
 * osRelease the text of os-release(5)
 */
export function packageCommand(osRelease: string, verb: keyof typeof COMMANDS): string | undefined {
  const family = packageFamily(osRelease);
  return family === undefined ? undefined : COMMANDS[verb][family];
}

/** Whose packages the host has. os-release(5): values may stand in quotes of either kind. */
export function packageFamily(osRelease: string): Family | undefined {
  const families = [...osRelease.matchAll(/^ID(?:_LIKE)?=["']?([\w. -]*)["']?\s*$/gm)].flatMap(([, words = '']) =>
    words.split(' '),
  );
  if (families.includes('debian') || families.includes('ubuntu')) return 'debian';
  if (families.includes('rhel') || families.includes('fedora')) return 'rhel';
  return families.includes('suse') ? 'suse' : undefined;
}
