/** One entry of a tar archive; `data` has to be read, or left, before the next one is asked for. */
export interface TarEntry {
  readonly name: string
  readonly kind: 'file' | 'folder' | 'link' | 'hard link' | 'other'
  /** Of links. */
  readonly target: string
  readonly mode: number
  readonly bytes: number
  readonly data: AsyncIterable<Buffer>
}

const BLOCK = 512
/** Longest name or header of an extended entry, bytes. */
const MAX_EXTENDED_BYTES = 1024 * 1024
const decoder = new TextDecoder()

/** Entries of a tar archive in the ustar, GNU or pax format. Throws for what is none, or ends too early. */
export async function* tarEntries(source: AsyncIterable<Buffer>): AsyncGenerator<TarEntry> {
  const input = new Input(source)
  let extended: ReadonlyMap<string, string> = new Map()
  for (;;) {
    const header = await input.take(BLOCK)
    if (header === null || header.every((byte) => byte === 0)) return
    checkSum(header)
    const type = String.fromCharCode(header[156] ?? 0)
    const bytes = Number(extended.get('size') ?? number(header, 124, 12))
    if (!(Number.isSafeInteger(bytes) && bytes >= 0)) throw new Error('an entry has no size')
    const padding = (BLOCK - (bytes % BLOCK)) % BLOCK
    if (EXTENDED.has(type)) {
      if (bytes > MAX_EXTENDED_BYTES) throw new Error('an entry has too long a name')
      const content = await input.take(bytes + padding)
      if (content === null) throw new Error('it ends too early')
      const text = content.subarray(0, bytes)
      if (type !== 'g') extended = new Map([...extended, ...readExtended(type, text)])
      continue
    }
    const prefix = text(header, 257, 6).startsWith('ustar') ? text(header, 345, 155) : ''
    const own = text(header, 0, 100)
    const body = input.body(type === '0' || type === '\0' || type === '7' ? bytes : 0)
    yield {
      name: extended.get('path') ?? (prefix === '' ? own : `${prefix}/${own}`),
      kind: KINDS[type] ?? 'other',
      target: extended.get('linkpath') ?? text(header, 157, 100),
      mode: number(header, 100, 8),
      bytes,
      data: body,
    }
    for await (const _ of body) {
      // What nobody read is passed over.
    }
    if (bytes > 0 && (await input.take(padding)) === null) throw new Error('it ends too early')
    extended = new Map()
  }
}

const KINDS: Readonly<Record<string, TarEntry['kind']>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '1': 'hard link',
  '2': 'link',
  '5': 'folder',
}
/** GNU's long names and links, pax's headers of one and of all. */
const EXTENDED: ReadonlySet<string> = new Set(['L', 'K', 'x', 'g'])

/** Bytes as they come, in pieces of the size that is wanted. */
class Input {
  readonly #iterator: AsyncIterator<Buffer>
  #rest: Buffer = Buffer.alloc(0)

  constructor(source: AsyncIterable<Buffer>) {
    this.#iterator = source[Symbol.asyncIterator]()
  }

  /** null = there is nothing left. Throws where there is less. */
  async take(bytes: number): Promise<Buffer | null> {
    const parts: Buffer[] = []
    let left = bytes
    while (left > 0) {
      const part = await this.#some(left)
      if (part === null) {
        if (left === bytes) return null
        throw new Error('it ends too early')
      }
      parts.push(part)
      left -= part.length
    }
    return Buffer.concat(parts)
  }

  async *body(bytes: number): AsyncGenerator<Buffer> {
    for (let left = bytes; left > 0; ) {
      const part = await this.#some(left)
      if (part === null) throw new Error('it ends too early')
      left -= part.length
      yield part
    }
  }

  async #some(most: number): Promise<Buffer | null> {
    while (this.#rest.length === 0) {
      const next = await this.#iterator.next()
      if (next.done === true) return null
      this.#rest = next.value
    }
    const part = this.#rest.subarray(0, most)
    this.#rest = this.#rest.subarray(part.length)
    return part
  }
}

function text(header: Buffer, at: number, length: number): string {
  const field = header.subarray(at, at + length)
  const end = field.indexOf(0)
  return decoder.decode(end < 0 ? field : field.subarray(0, end))
}

/** Octal, or GNU's binary form for large ones. */
function number(header: Buffer, at: number, length: number): number {
  const field = header.subarray(at, at + length)
  if (((field[0] ?? 0) & 0x80) === 0)
    return Number.parseInt(text(header, at, length).trim() || '0', 8)
  let value = (field[0] ?? 0) & 0x7f
  for (const byte of field.subarray(1)) value = value * 256 + byte
  return value
}

function checkSum(header: Buffer): void {
  let sum = 0
  for (let i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? 32 : (header[i] ?? 0)
  if (sum !== number(header, 148, 8)) throw new Error('it is no tar archive')
}

function readExtended(type: string, content: Buffer): Map<string, string> {
  const whole = decoder.decode(content)
  if (type !== 'x') {
    return new Map([[type === 'L' ? 'path' : 'linkpath', whole.replace(/\0.*$/s, '')]])
  }
  const found = new Map<string, string>()
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(32, at)
    const length = Number(decoder.decode(content.subarray(at, space)))
    if (space < 0 || !Number.isSafeInteger(length) || length <= space - at) {
      throw new Error('an extended header is wrong')
    }
    const record = decoder.decode(content.subarray(space + 1, at + length - 1))
    const equals = record.indexOf('=')
    found.set(record.slice(0, equals), record.slice(equals + 1))
    at += length
  }
  return found
}
