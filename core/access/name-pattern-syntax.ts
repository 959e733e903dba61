import { CharacterSet, escapedSet, parseClass } from './name-pattern-set.ts'

/** A pattern as a tree. */
export type PatternNode =
  | { readonly kind: 'set'; readonly codes: Uint8Array }
  | { readonly kind: 'first' | 'last' }
  /** A place between a letter of a word and none, or (not wanted) any other. */
  | { readonly kind: 'edge'; readonly wanted: boolean }
  | { readonly kind: 'sequence' | 'choice'; readonly parts: readonly PatternNode[] }
  | {
      readonly kind: 'repeat'
      readonly part: PatternNode
      readonly least: number
      readonly most: number
    }

/** What RE2 takes. */
const MAX_REPEAT = 1000
/** Groups within groups. */
const MAX_DEPTH = 100
const FLAGS = /^\(\?([imsU]*)(?:-([imsU]+))?([:)])/
const NAMED = /^\(\?P?<[A-Za-z_]\w*>/
const COUNT = /^\{(\d{1,4})(?:(,)(\d{1,4})?)?\}/

/** Reads RE2's syntax; flags other than `i` have no meaning for a name on one line. Throws an Error for what RE2 refuses. */
export function parsePattern(pattern: string): PatternNode {
  const reader = new Reader(pattern)
  const root = reader.choice(true, 0)
  if (reader.at < pattern.length) throw new Error(`unexpected ): ${pattern}`)
  return root
}

class Reader {
  at = 0
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  /** Up to the end or the closing parenthesis; flags that are set inside end with it. */
  choice(ignoreCase: boolean, depth: number): PatternNode {
    if (depth > MAX_DEPTH) throw new Error('pattern nests too deep')
    const parts: PatternNode[] = []
    let run: PatternNode[] = []
    let fold = ignoreCase
    for (;;) {
      const char = this.#text[this.at]
      if (char === undefined || char === ')') {
        parts.push({ kind: 'sequence', parts: run })
        return parts.length === 1 ? (parts[0] as PatternNode) : { kind: 'choice', parts }
      }
      if (char === '|') {
        this.at++
        parts.push({ kind: 'sequence', parts: run })
        run = []
        continue
      }
      const flags = FLAGS.exec(this.#rest())
      if (flags !== null && flags[3] === ')') {
        this.at += flags[0].length
        fold = folded(flags, fold)
        continue
      }
      if (this.#rest().startsWith('\\Q')) {
        run.push(...this.#quoted(fold))
        continue
      }
      run.push(this.#repeated(this.#atom(fold, depth)))
    }
  }

  #rest(): string {
    return this.#text.slice(this.at, this.at + 80)
  }

  #quoted(fold: boolean): PatternNode[] {
    const end = this.#text.indexOf('\\E', this.at + 2)
    const text = this.#text.slice(this.at + 2, end < 0 ? undefined : end)
    this.at = end < 0 ? this.#text.length : end + 2
    return [...text].map((char) => set(CharacterSet.of(char), fold))
  }

  #atom(fold: boolean, depth: number): PatternNode {
    const char = this.#text[this.at] as string
    switch (char) {
      case '(':
        return this.#group(fold, depth)
      case '[': {
        const parsed = parseClass(this.#text, this.at)
        this.at = parsed.end
        return set(parsed.set, fold, parsed.negated)
      }
      case '*':
      case '+':
      case '?':
        throw new Error(`no argument for repetition operator: ${char}`)
      case '\\':
        return this.#escape(fold)
    }
    this.at++
    if (char === '^') return { kind: 'first' }
    if (char === '$') return { kind: 'last' }
    return set(char === '.' ? CharacterSet.any() : CharacterSet.of(char), fold)
  }

  #group(fold: boolean, depth: number): PatternNode {
    const rest = this.#rest()
    const flags = FLAGS.exec(rest)
    const named = NAMED.exec(rest)
    let inner = fold
    if (flags !== null) {
      this.at += flags[0].length
      inner = folded(flags, fold)
    } else if (named !== null) this.at += named[0].length
    else if (rest.startsWith('(?')) throw new Error(`invalid perl operator: ${rest.slice(0, 4)}`)
    else this.at++
    const node = this.choice(inner, depth + 1)
    if (this.#text[this.at] !== ')') throw new Error(`missing ): ${this.#text}`)
    this.at++
    return node
  }

  #escape(fold: boolean): PatternNode {
    const next = this.#text[this.at + 1]
    if (next !== undefined && 'AzbB'.includes(next)) {
      this.at += 2
      if (next === 'A') return { kind: 'first' }
      if (next === 'z') return { kind: 'last' }
      return { kind: 'edge', wanted: next === 'b' }
    }
    const parsed = escapedSet(this.#text, this.at)
    this.at = parsed.end
    return set(parsed.set, fold)
  }

  #repeated(part: PatternNode): PatternNode {
    const char = this.#text[this.at]
    const count = char === '{' ? COUNT.exec(this.#rest()) : null
    let least = 0
    let most = Number.POSITIVE_INFINITY
    if (count !== null) {
      least = Number(count[1])
      if (count[2] === undefined) most = least
      else if (count[3] !== undefined) most = Number(count[3])
      if (
        least > MAX_REPEAT ||
        (most !== Number.POSITIVE_INFINITY && most > MAX_REPEAT) ||
        most < least
      ) {
        throw new Error(`invalid repetition size: ${count[0]}`)
      }
    } else if (char === '+') least = 1
    else if (char === '?') most = 1
    else if (char !== '*') return part
    this.at += count === null ? 1 : count[0].length
    // Lazy or not is the same for whether it matches.
    if (this.#text[this.at] === '?') this.at++
    const following = this.#text[this.at]
    if (following === '*' || following === '+' || following === '?') {
      throw new Error(`bad repetition operator: ${char}${following}`)
    }
    return { kind: 'repeat', part, least, most }
  }
}

function folded(flags: RegExpExecArray, before: boolean): boolean {
  if (flags[2]?.includes('i')) return false
  return flags[1]?.includes('i') ? true : before
}

function set(characters: CharacterSet, fold: boolean, negated = false): PatternNode {
  const wide = fold ? characters.folded() : characters
  return { kind: 'set', codes: (negated ? wide.complement() : wide).codes }
}
