/** Deepest nesting of messages that ONNX Runtime's own parser takes. */
export const MAX_SCAN_DEPTH = 100
/** Different locations one model may name; a model split per tensor has thousands. */
export const MAX_EXTERNAL_LOCATIONS = 65_536
/** Longest text that is read of a key or value. */
const MAX_TEXT_BYTES = 4_096
/** Read at a time; payloads longer than it are skipped without being read. */
const WINDOW_BYTES = 64 * 1024
/** A tag (5 bytes) and a length or varint (10). */
const HEAD_BYTES = 16

type Message =
  | 'model'
  | 'graph'
  | 'node'
  | 'attribute'
  | 'sparse'
  | 'tensor'
  | 'entry'
  | 'function'
  | 'training'

/** Field number → message, for every path of onnx.proto that leads to a tensor. */
const FIELDS: Readonly<Record<Message, Readonly<Record<number, Message>>>> = {
  model: { 7: 'graph', 20: 'training', 25: 'function' },
  graph: { 1: 'node', 5: 'tensor', 15: 'sparse' },
  node: { 5: 'attribute' },
  attribute: { 5: 'tensor', 6: 'graph', 10: 'tensor', 11: 'graph', 22: 'sparse', 23: 'sparse' },
  sparse: { 1: 'tensor', 2: 'tensor' },
  tensor: { 13: 'entry' },
  function: { 7: 'node', 11: 'attribute' },
  training: { 1: 'graph', 2: 'graph' },
  entry: {},
}

// A replaced byte or a dropped mark would make the name that is checked another one than the name that is opened.
const STRICT_UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const VARINT = 0
const FIXED64 = 1
const BYTES = 2
const FIXED32 = 5

export interface ScanOptions {
  /** Of the file, bytes. */
  readonly size: number
  /** Up to `length` bytes from `offset`. */
  readonly read: (offset: number, length: number) => Promise<Uint8Array> | Uint8Array
  readonly signal?: AbortSignal | undefined
}

interface Frame {
  readonly message: Message
  readonly end: number
  /** Of an `entry`: what it has said so far, in any order. */
  readonly texts: { key: boolean; values: string[] } | null
}

/**
 * Every `location` that any tensor of an ONNX file names as the place of its external data, read without loading the
 * file: weights are skipped. Throws RangeError where the bytes are not well-formed protobuf.
 */
export async function externalLocations(options: ScanOptions): Promise<ReadonlySet<string>> {
  const input = new Window(options)
  const found = new Set<string>()
  const stack: Frame[] = [{ message: 'model', end: options.size, texts: null }]
  let at = 0
  for (;;) {
    const frame = stack[stack.length - 1]
    if (frame === undefined) return found
    if (at === frame.end) {
      stack.pop()
      collect(frame, found)
      continue
    }
    if (!input.has(at, HEAD_BYTES)) await input.load(at)
    const tag = input.varint(at, 5)
    const field = Math.floor(tag.value / 8)
    if (field === 0 || tag.value > 0xffff_ffff) throw new RangeError('invalid tag')
    at = tag.end
    const wire = tag.value % 8
    if (wire === VARINT) at = input.varint(at, 10).end
    else if (wire === FIXED64) at += 8
    else if (wire === FIXED32) at += 4
    else if (wire === BYTES) {
      const length = input.varint(at, 5)
      at = length.end
      const end = at + length.value
      if (end > frame.end) throw new RangeError('a field is longer than its message')
      const message = FIELDS[frame.message][field]
      if (message !== undefined) {
        if (stack.length >= MAX_SCAN_DEPTH) throw new RangeError('messages nested too deep')
        stack.push({ message, end, texts: message === 'entry' ? { key: false, values: [] } : null })
        continue
      }
      if (frame.texts !== null && (field === 1 || field === 2)) {
        if (length.value > MAX_TEXT_BYTES)
          throw new RangeError('an external data entry is too long')
        if (!input.has(at, length.value)) await input.load(at)
        const text = input.text(at, length.value)
        if (field === 2) frame.texts.values.push(text)
        else if (text === 'location') frame.texts.key = true
      }
      at = end
    } else throw new RangeError(`wire type ${wire}`)
    if (at > frame.end) throw new RangeError('a field is longer than its message')
  }
}

/** A key that is repeated counts as `location` when any of its occurrences is: the strictest reading. */
function collect(frame: Frame, found: Set<string>): void {
  if (frame.texts?.key !== true) return
  for (const value of frame.texts.values) found.add(value)
  // proto3's default: a location that is not written is the empty string.
  if (frame.texts.values.length === 0) found.add('')
  if (found.size > MAX_EXTERNAL_LOCATIONS) throw new RangeError('too many external files')
}

/** The part of the file that is in memory. */
class Window {
  readonly #options: ScanOptions
  #start = 0
  #bytes: Uint8Array = new Uint8Array(0)

  constructor(options: ScanOptions) {
    this.#options = options
  }

  /** Whether `length` bytes from `at`, or all that are left of the file, are here. */
  has(at: number, length: number): boolean {
    const end = Math.min(at + length, this.#options.size)
    return at >= this.#start && end <= this.#start + this.#bytes.length
  }

  async load(at: number): Promise<void> {
    this.#options.signal?.throwIfAborted()
    const length = Math.min(WINDOW_BYTES, this.#options.size - at)
    this.#bytes = await this.#options.read(at, length)
    this.#start = at
    if (this.#bytes.length !== length) throw new RangeError('the file ended early')
  }

  varint(at: number, maxBytes: number): { value: number; end: number } {
    let value = 0
    let scale = 1
    for (let i = 0; i < maxBytes; i++) {
      const byte = this.#bytes[at - this.#start + i]
      if (byte === undefined) throw new RangeError('truncated varint')
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return { value, end: at + i + 1 }
      scale *= 128
    }
    throw new RangeError('varint too long')
  }

  text(at: number, length: number): string {
    const from = at - this.#start
    try {
      return STRICT_UTF8.decode(this.#bytes.subarray(from, from + length))
    } catch (cause) {
      throw new RangeError('an external data entry is not UTF-8', { cause })
    }
  }
}
