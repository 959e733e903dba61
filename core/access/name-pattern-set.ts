/** Names are ASCII: a set is a mark per code. */
export class CharacterSet {
  readonly codes: Uint8Array = new Uint8Array(128)

  static of(characters: string): CharacterSet {
    const set = new CharacterSet()
    for (let i = 0; i < characters.length; i++) set.add(characters.charCodeAt(i))
    return set
  }

  static any(): CharacterSet {
    const set = new CharacterSet()
    set.codes.fill(1)
    return set
  }

  /** `az09` stands for a to z and 0 to 9. */
  static ofRanges(pairs: string): CharacterSet {
    const set = new CharacterSet()
    for (let i = 0; i < pairs.length; i += 2)
      set.addRange(pairs.charCodeAt(i), pairs.charCodeAt(i + 1))
    return set
  }

  add(code: number): void {
    if (code < 128) this.codes[code] = 1
  }

  addRange(from: number, to: number): void {
    for (let code = from; code <= to && code < 128; code++) this.add(code)
  }

  addAll(other: CharacterSet): void {
    for (let code = 0; code < 128; code++) if (other.codes[code] === 1) this.codes[code] = 1
  }

  complement(): CharacterSet {
    const set = new CharacterSet()
    for (let code = 0; code < 128; code++) set.codes[code] = this.codes[code] === 1 ? 0 : 1
    return set
  }

  /** With the other case of every letter. */
  folded(): CharacterSet {
    const set = new CharacterSet()
    set.addAll(this)
    for (let upper = 65; upper <= 90; upper++) {
      if (this.codes[upper] === 1) set.add(upper + 32)
      if (this.codes[upper + 32] === 1) set.add(upper)
    }
    return set
  }
}

interface Parsed {
  readonly set: CharacterSet
  /** Where the text goes on. */
  readonly end: number
}

const PERL: Readonly<Record<string, string>> = { d: '09', w: '09AZaz__', s: '\t\n\f\r  ' }
const CONTROLS: Readonly<Record<string, number>> = { a: 7, f: 12, t: 9, n: 10, r: 13, v: 11 }
const POSIX: Readonly<Record<string, string>> = {
  alnum: '09AZaz',
  alpha: 'AZaz',
  ascii: '\x00\x7f',
  blank: '\t\t  ',
  cntrl: '\x00\x1f\x7f\x7f',
  digit: '09',
  graph: '!~',
  lower: 'az',
  print: ' ~',
  punct: '!/:@[`{~',
  space: '\t\r  ',
  upper: 'AZ',
  word: '09AZaz__',
  xdigit: '09AFaf',
}
const HEX = /^\\x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]{1,6})\})/
const OCTAL = /^\\(0[0-7]{0,2}|[1-7][0-7]{1,2})/

/** What the escape at `at` stands for. Throws an Error for one that RE2 refuses, such as a back reference. */
export function escapedSet(text: string, at: number): Parsed {
  const next = text[at + 1] ?? ''
  const lower = next.toLowerCase()
  const perl = PERL[lower]
  if (perl !== undefined) {
    const set = CharacterSet.ofRanges(perl)
    return { set: next === lower ? set : set.complement(), end: at + 2 }
  }
  const { code, end } = escapedCode(text, at)
  const set = new CharacterSet()
  set.add(code)
  return { set, end }
}

function escapedCode(text: string, at: number): { readonly code: number; readonly end: number } {
  const next = text[at + 1] ?? ''
  const control = CONTROLS[next]
  if (control !== undefined) return { code: control, end: at + 2 }
  const rest = text.slice(at, at + 12)
  const hex = HEX.exec(rest)
  if (hex !== null) {
    return { code: Number.parseInt(hex[1] ?? hex[2] ?? '', 16), end: at + hex[0].length }
  }
  const octal = OCTAL.exec(rest)
  if (octal !== null) return { code: Number.parseInt(octal[1] ?? '', 8), end: at + octal[0].length }
  if (next === '' || /[A-Za-z0-9]/.test(next)) {
    throw new Error(next === '' ? 'trailing \\' : `invalid escape sequence: \\${next}`)
  }
  return { code: next.charCodeAt(0), end: at + 2 }
}

/** The class in brackets that begins at `at`; whoever folds it must do so before it is negated. */
export function parseClass(text: string, at: number): Parsed & { readonly negated: boolean } {
  const set = new CharacterSet()
  const negated = text[at + 1] === '^'
  let i = at + (negated ? 2 : 1)
  const start = i
  for (;;) {
    const char = text[i]
    if (char === undefined) throw new Error(`missing ]: ${text.slice(at)}`)
    // A bracket that comes first is itself.
    if (char === ']' && i > start) return { set, end: i + 1, negated }
    const posix = /^\[:(\^?)(\w+):\]/.exec(text.slice(i, i + 12))
    if (posix !== null) {
      const ranges = POSIX[posix[2] ?? '']
      if (ranges === undefined) throw new Error(`invalid character class range: ${posix[0]}`)
      const named = CharacterSet.ofRanges(ranges)
      set.addAll(posix[1] === '' ? named : named.complement())
      i += posix[0].length
      continue
    }
    if (char === '\\' && 'dDwWsS'.includes(text[i + 1] ?? '-')) {
      const escaped = escapedSet(text, i)
      set.addAll(escaped.set)
      i = escaped.end
      continue
    }
    const from = classCode(text, i)
    i = from.end
    if (text[i] === '-' && text[i + 1] !== ']' && text[i + 1] !== undefined) {
      const to = classCode(text, i + 1)
      if (to.code < from.code)
        throw new Error(`invalid character class range: ${text.slice(at, to.end)}`)
      set.addRange(from.code, to.code)
      i = to.end
    } else set.add(from.code)
  }
}

function classCode(text: string, at: number): { readonly code: number; readonly end: number } {
  if (text[at] === '\\') return escapedCode(text, at)
  return { code: text.charCodeAt(at), end: at + 1 }
}
