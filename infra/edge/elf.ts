const MAGIC = 0x7f454c46
const MACHINES: Readonly<Record<number, string>> = { 62: 'x64', 183: 'arm64', 40: 'arm' }
const MACHINE_AT = 18

/** For which kind of machine a program or library of Linux is made, as Node names them; undefined = it is neither. */
export function machineOf(bytes: Buffer): string | undefined {
  if (bytes.length <= MACHINE_AT || bytes.readUInt32BE(0) !== MAGIC) return undefined
  const machine = bytes.readUInt16LE(MACHINE_AT)
  return MACHINES[machine] ?? `machine ${machine}`
}
