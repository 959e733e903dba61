/** Nanoseconds of each unit of `grpc-timeout`. */
const UNIT_NS: Readonly<Record<string, number>> = {
  H: 3600e9,
  M: 60e9,
  S: 1e9,
  m: 1e6,
  u: 1e3,
  n: 1,
}
/** One to eight digits and a unit, nothing else. */
const FORMAT = /^(\d{1,8})([HMSmun])$/

/** A `grpc-timeout` in nanoseconds; undefined when it is malformed. */
export function parseTimeout(text: string): number | undefined {
  const match = FORMAT.exec(text)
  if (match === null) return undefined
  const [, digits = '', unit = ''] = match
  return Number(digits) * (UNIT_NS[unit] as number)
}
