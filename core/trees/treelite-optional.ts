import type { ByteReader } from './byte-reader.ts'

/** What newer versions may have added: a name, the size of an element, how many, and they themselves. */
export function skipOptionalFields(reader: ByteReader): void {
  for (let left = reader.i32(); left > 0; left--) {
    reader.text()
    const size = reader.u64()
    reader.skip(size * reader.u64())
  }
}
