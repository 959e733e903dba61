import { crc32, deflateRawSync } from 'node:zlib'

/** A file of an archive; `name` with forward slashes. */
export interface ZipEntry {
  readonly name: string
  readonly bytes: Uint8Array
}

const LOCAL = 0x04034b50
const CENTRAL = 0x02014b50
const END = 0x06054b50
/** First version that knows `deflate`; made on Unix, which is what has file modes. */
const VERSION = 20
const UNIX = 3 << 8
const DEFLATE = 8
/** 1980-01-01, the first day there is: equal files make equal archives. */
const DATE = (1 << 5) | 1
/** Readable by all, writable by the owner: Lambda runs as another user than the one who zipped. */
const MODE = 0o100644

/** `entries` as a zip file, the same for the same entries. No entry may have 4 GB or more. */
export function zip(entries: readonly ZipEntry[]): Buffer {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let at = 0
  for (const { name, bytes } of entries) {
    const packed = deflateRawSync(bytes, { level: 9 })
    const path = Buffer.from(name)
    const common = Buffer.alloc(26)
    common.writeUInt16LE(VERSION, 0)
    common.writeUInt16LE(DEFLATE, 4)
    common.writeUInt16LE(DATE, 8)
    common.writeUInt32LE(crc32(bytes), 10)
    common.writeUInt32LE(packed.length, 14)
    common.writeUInt32LE(bytes.length, 18)
    common.writeUInt16LE(path.length, 22)
    const local = Buffer.concat([word(LOCAL), common, path, packed])
    const tail = Buffer.alloc(14)
    tail.writeUInt32LE((MODE << 16) >>> 0, 6)
    tail.writeUInt32LE(at, 10)
    directory.push(word(CENTRAL), half(UNIX | VERSION), common, tail, path)
    parts.push(local)
    at += local.length
  }
  const central = Buffer.concat(directory)
  const end = Buffer.alloc(18)
  end.writeUInt16LE(entries.length, 4)
  end.writeUInt16LE(entries.length, 6)
  end.writeUInt32LE(central.length, 8)
  end.writeUInt32LE(at, 12)
  return Buffer.concat([...parts, central, word(END), end])
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

function half(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16LE(value)
  return bytes
}
