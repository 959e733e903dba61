/** RFC 7541 appendix A in order, `name` or `name: value`; the first entry has index 1. */
const ENTRIES: readonly string[] = [
  ':authority',
  ':method: GET',
  ':method: POST',
  ':path: /',
  ':path: /index.html',
  ':scheme: http',
  ':scheme: https',
  ':status: 200',
  ':status: 204',
  ':status: 206',
  ':status: 304',
  ':status: 400',
  ':status: 404',
  ':status: 500',
  'accept-charset',
  'accept-encoding: gzip, deflate',
  ...(
    'accept-language accept-ranges accept access-control-allow-origin age allow authorization cache-control ' +
    'content-disposition content-encoding content-language content-length content-location content-range ' +
    'content-type cookie date etag expect expires from host if-match if-modified-since if-none-match if-range ' +
    'if-unmodified-since last-modified link location max-forwards proxy-authenticate proxy-authorization range ' +
    'referer refresh retry-after server set-cookie strict-transport-security transfer-encoding user-agent vary ' +
    'via www-authenticate'
  ).split(' '),
]

/** The static table's names; index 0 is none. */
export const STATIC_NAMES: readonly string[] = ['', ...ENTRIES.map((one) => split(one)[0])]
/** The static table's values; index 0 is none. */
export const STATIC_VALUES: readonly string[] = ['', ...ENTRIES.map((one) => split(one)[1])]
/** Entries of the static table; the dynamic table's indices follow. */
export const STATIC_COUNT: number = ENTRIES.length

const FIRST_INDEX: ReadonlyMap<string, number> = new Map(
  STATIC_NAMES.map((name, index): [string, number] => [name, index])
    .slice(1)
    .reverse(),
)

function split(entry: string): [string, string] {
  const colon = entry.indexOf(': ')
  return colon < 0 ? [entry, ''] : [entry.slice(0, colon), entry.slice(colon + 2)]
}

/** The first static index with `name`, 0 for none. */
export function staticName(name: string): number {
  return FIRST_INDEX.get(name) ?? 0
}

/** The static index of a whole field, 0 for none; `first` is what {@link staticName} said. */
export function staticField(first: number, name: string, value: string): number {
  if (first === 0) return 0
  for (let index = first; STATIC_NAMES[index] === name; index++) {
    if (STATIC_VALUES[index] === value) return index
  }
  return 0
}
