import { readString, type TextLiteral } from './pbtxt-string.ts'
import { type Place, placedError } from './place.ts'

/** A token of protobuf's text format. `text` is what stands in the file, but for strings, see `literal`. */
export interface Token extends Place {
  readonly type: 'identifier' | 'integer' | 'float' | 'string' | 'symbol' | 'end'
  readonly text: string
  readonly literal?: TextLiteral
}

export interface Lexer {
  /** The token under the cursor; after the last one always `end`. */
  readonly token: Token
  /** Moves the cursor on and returns the token it leaves. */
  next(): Token
}

const SPACE = /[ \t\r\v\f]+/y
const IDENTIFIER = /[A-Za-z_][A-Za-z0-9_]*/y
const HEXADECIMAL = /0[xX][0-9a-fA-F]*/y
const OCTAL = /0[0-9]+/y
const DECIMAL = /(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]*)?[fF]?/y
const STUCK_TO_NUMBER = /[A-Za-z0-9_.]/

/** Splits `text` into tokens; `file` names it in errors. */
export function createLexer(text: string, file: string): Lexer {
  let at = text.startsWith('\uFEFF') ? 1 : 0
  let line = 1
  let lineStart = at
  let token = read()

  return {
    get token() {
      return token
    },
    next() {
      const left = token
      token = read()
      return left
    },
  }

  function match(pattern: RegExp): string | undefined {
    pattern.lastIndex = at
    return pattern.exec(text)?.[0]
  }

  function skipSpace(): void {
    for (;;) {
      at += match(SPACE)?.length ?? 0
      const char = text[at]
      if (char === '#') {
        const end = text.indexOf('\n', at)
        at = end < 0 ? text.length : end
      } else if (char === '\n') {
        at += 1
        line += 1
        lineStart = at
      } else {
        return
      }
    }
  }

  function read(): Token {
    skipSpace()
    const place = { line, column: at - lineStart + 1 }
    const char = text[at]
    if (char === undefined) return { type: 'end', text: 'end of file', ...place }
    const name = match(IDENTIFIER)
    if (name !== undefined) {
      at += name.length
      return { type: 'identifier', text: name, ...place }
    }
    if (/[0-9]/.test(char) || (char === '.' && /[0-9]/.test(text[at + 1] ?? ''))) {
      return readNumber(place)
    }
    if (char === '"' || char === "'") {
      const string = readString(text, at, (offset, problem) =>
        placedError(file, { line, column: offset - lineStart + 1 }, problem),
      )
      at = string.end
      return { type: 'string', text: 'string', literal: string.literal, ...place }
    }
    if (char < ' ' || char > '~') {
      throw placedError(file, place, `unexpected character ${JSON.stringify(char)}`)
    }
    at += 1
    return { type: 'symbol', text: char, ...place }
  }

  function readNumber(place: Place): Token {
    const whole = match(HEXADECIMAL) ?? match(OCTAL)
    const number = whole ?? match(DECIMAL) ?? ''
    at += number.length
    if (/^0[xX]$/.test(number))
      throw placedError(file, place, `'${number}' needs hexadecimal digits`)
    if (/^0[0-9]*[89]/.test(number)) {
      throw placedError(file, place, `'${clip(number)}' starts with 0 and so must be octal`)
    }
    if (whole === undefined && /[eE][+-]?[fF]?$/.test(number)) {
      throw placedError(file, place, `'${clip(number)}' has no digits in its exponent`)
    }
    if (STUCK_TO_NUMBER.test(text[at] ?? '')) {
      throw placedError(file, place, `'${clip(number)}${text[at]}' is not a number`)
    }
    const float = whole === undefined && /[^0-9]/.test(number)
    return { type: float ? 'float' : 'integer', text: number, ...place }
  }
}

function clip(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text
}
