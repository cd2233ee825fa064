/** One process, told apart from any other that has its number before or after it. */
export interface ProcessIdentity {
  /** Of the boot that it runs in (/proc/sys/kernel/random/boot_id); empty where it is not known. */
  readonly bootId: string;
  /**
   * The inodes of its pid and time namespaces, `4026531836.4026531834`: within one, pid and start mean the same to all
   * (namespaces(7)). Empty where they are not known.
   */
  readonly namespaces: string;
  readonly pid: number;
  /** When it began, in clock ticks since the boot (proc_pid_stat(5), field 22); empty where it is not known. */
  readonly start: string;
}

/** The processes of this host. */
export interface Processes {
  self(): Promise<ProcessIdentity>;
  /**
   * Whether the process has ended for certain. One that may be in another container, or of which the kernel does not
   * tell enough, may run.
   * @returns true only by proof: another boot, no such process, or one that began at another time
   */
  hasEnded(process: ProcessIdentity): Promise<boolean>;
}
