import { assemble, type Program } from './name-pattern-program.ts'
import { parsePattern } from './name-pattern-syntax.ts'

/**
 * A regular expression with RE2's syntax, on ASCII names and without captures. It takes time in proportion to the length of
 * the name times that of the pattern, whatever the pattern is.
 */
export class NamePattern {
  readonly #program: Program
  /** Instructions to look at for the current character and for the next one, and at which step each was last put there. */
  #now: Int32Array
  #next: Int32Array
  #marks: Int32Array
  #step = 0

  /** Case does not matter unless the pattern says `(?-i)`. Throws an Error for what RE2 refuses. */
  constructor(pattern: string) {
    this.#program = assemble(parsePattern(pattern))
    const { length } = this.#program.ops
    this.#now = new Int32Array(length)
    this.#next = new Int32Array(length)
    this.#marks = new Int32Array(length)
  }

  /** Whether the pattern matches anywhere in `name`. */
  matches(name: string): boolean {
    const { ops, sets, a } = this.#program
    this.#marks.fill(0)
    this.#step = 1
    let count = this.#add(this.#now, 0, 0, name, 0)
    for (let i = 0; ; i++) {
      if (count < 0) return true
      if (i === name.length) return false
      const code = name.charCodeAt(i)
      this.#step++
      let more = 0
      for (let n = 0; n < count && more >= 0; n++) {
        const at = this.#now[n] as number
        const hit = ops[at] === 'set' && code < 128 && sets[a[at] as number]?.[code] === 1
        if (hit) more = this.#add(this.#next, more, at + 1, name, i + 1)
      }
      // A match may begin at any character.
      if (more >= 0) more = this.#add(this.#next, more, 0, name, i + 1)
      const spare = this.#now
      this.#now = this.#next
      this.#next = spare
      count = more
    }
  }

  /** Puts what can be reached from `start` without a character into `list`; -1 when that is the end of the pattern. */
  #add(list: Int32Array, length: number, start: number, name: string, at: number): number {
    const { ops, a, b } = this.#program
    let count = length
    const open = [start]
    for (let here = open.pop(); here !== undefined; here = open.pop()) {
      if (this.#marks[here] === this.#step) continue
      this.#marks[here] = this.#step
      switch (ops[here]) {
        case 'end':
          return -1
        case 'set':
          list[count++] = here
          break
        case 'split':
          open.push(a[here] as number, b[here] as number)
          break
        case 'jump':
          open.push(a[here] as number)
          break
        case 'first':
          if (at === 0) open.push(here + 1)
          break
        case 'last':
          if (at === name.length) open.push(here + 1)
          break
        case 'edge':
          if (isEdge(name, at) === (a[here] === 1)) open.push(here + 1)
          break
      }
    }
    return count
  }
}

function isEdge(name: string, at: number): boolean {
  return isWord(name.charCodeAt(at - 1)) !== isWord(name.charCodeAt(at))
}

/** NaN, which stands before and behind the name, is none. */
function isWord(code: number): boolean {
  return (
    (code >= 48 && code <= 57) ||
    (code >= 65 && code <= 90) ||
    code === 95 ||
    (code >= 97 && code <= 122)
  )
}
