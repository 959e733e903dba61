/** Characters of a word above which it is unknown: no vocabulary has such, and the search is quadratic. */
const MAX_WORD = 100

/** Splits texts into the pieces of a vocabulary (`vocab.txt` of BERT and its kin: a piece a line, its id the line's number). */
export class WordPiece {
  #ids
  #lowercase

  /**
   * @param {string} vocabulary
   * @param {{ lowercase: boolean }} options
   */
  constructor(vocabulary, { lowercase }) {
    const pieces = vocabulary.split(/\r?\n/)
    if (pieces.at(-1) === '') pieces.pop()
    this.#ids = new Map(pieces.map((piece, id) => [piece, BigInt(id)]))
    this.#lowercase = lowercase
    const special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]'].filter((piece) => !this.#ids.has(piece))
    if (special.length > 0) throw new Error(`the vocabulary has no ${special.join(', ')}`)
  }

  /** @param {string} piece One of the vocabulary. */
  id(piece) {
    return this.#ids.get(piece) ?? 0n
  }

  /**
   * `[CLS]`, the pieces of `text`, `[SEP]`: `length` at most, the end of a longer text is left out.
   * @param {string} text
   * @param {number} length
   */
  encode(text, length) {
    const ids = [this.id('[CLS]')]
    for (const word of wordsOf(this.#lowercase ? plain(text) : text)) {
      if (ids.length >= length - 1) break
      ids.push(...this.#pieces(word))
    }
    ids.length = Math.min(ids.length, length - 1)
    ids.push(this.id('[SEP]'))
    return ids
  }

  /** The longest piece first, then the longest that goes on from there. */
  #pieces(word) {
    const unknown = [this.id('[UNK]')]
    const letters = [...word]
    if (letters.length > MAX_WORD) return unknown
    const found = []
    for (let start = 0; start < letters.length; ) {
      let end = letters.length
      while (end > start && !this.#ids.has(piece(letters, start, end))) end--
      if (end === start) return unknown
      found.push(this.id(piece(letters, start, end)))
      start = end
    }
    return found
  }
}

/** What goes on from an earlier piece is marked. */
function piece(letters, start, end) {
  const text = letters.slice(start, end).join('')
  return start === 0 ? text : `##${text}`
}

/** Lower case without accents. */
function plain(text) {
  return text
    .toLowerCase()
    .normalize('NFD')
    .replace(/\p{Mn}/gu, '')
}

/** Words, and each mark of punctuation by itself. */
function wordsOf(text) {
  return text.match(/[^\s\p{P}\p{S}]+|[\p{P}\p{S}]/gu) ?? []
}
