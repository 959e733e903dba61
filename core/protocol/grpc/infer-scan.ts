/** Raw tensors that a scan keeps note of; a message with more is read in full. */
const MAX_RAW = 64

/**
 * A look at the top level of a ModelInferRequest: where its id and its raw tensors lie. What is left, the `key`, is all that
 * clients repeat from request to request. Reused for every message, so that a scan allocates nothing.
 */
export class InferScan {
  /** The field of the id with its tag; both 0 when there is none. */
  idStart = 0
  idEnd = 0
  /** Where the id's text starts. */
  idAt = 0
  /** The key ends here; raw tensors follow to the end. */
  rawStart = 0
  rawCount = 0
  readonly rawAt: Int32Array = new Int32Array(MAX_RAW)
  readonly rawSize: Int32Array = new Int32Array(MAX_RAW)

  get keySize(): number {
    return this.rawStart - (this.idEnd - this.idStart)
  }

  /**
   * True when `bytes` has the layout in which clients write it: fields in the order of their numbers, the raw tensors last.
   * Says nothing about what is inside the fields.
   */
  scan(bytes: Uint8Array): boolean {
    const end = bytes.length
    this.idStart = 0
    this.idEnd = 0
    this.idAt = 0
    let raw = 0
    let rawStart = end
    let pos = 0
    while (pos < end) {
      const start = pos
      const tag = bytes[pos++] as number
      if ((tag & 0x87) !== 2 || pos === end) return false
      let size = bytes[pos++] as number
      if (size >= 0x80) {
        size &= 0x7f
        let shift = 7
        let byte = 0x80
        while (byte >= 0x80) {
          if (pos === end || shift > 21) return false
          byte = bytes[pos++] as number
          size |= (byte & 0x7f) << shift
          shift += 7
        }
      }
      if (size > end - pos) return false
      if (tag === RAW) {
        if (raw === MAX_RAW) return false
        if (raw === 0) rawStart = start
        this.rawAt[raw] = pos
        this.rawSize[raw++] = size
      } else if (raw > 0) {
        return false
      } else if (tag === ID) {
        // The last of several counts; the others are part of the key.
        this.idStart = start
        this.idAt = pos
        this.idEnd = pos + size
      }
      pos += size
    }
    this.rawCount = raw
    this.rawStart = rawStart
    return true
  }

  /** Whether the key of the scanned `bytes` is `key`. */
  matches(bytes: Uint8Array, key: Uint8Array): boolean {
    if (key.length !== this.keySize) return false
    const { idStart, rawStart } = this
    const skipped = this.idEnd - idStart
    // From the end, where shapes stand: what differs at all differs there.
    let at = rawStart - 1
    for (const from = this.idEnd; at >= from; at--)
      if (bytes[at] !== key[at - skipped]) return false
    for (at = idStart - 1; at >= 0; at--) if (bytes[at] !== key[at]) return false
    return true
  }

  copyKey(bytes: Uint8Array): Uint8Array {
    const key = new Uint8Array(this.keySize)
    key.set(bytes.subarray(0, this.idStart))
    key.set(bytes.subarray(this.idEnd, this.rawStart), this.idStart)
    return key
  }

  /** FNV-1a over the key. */
  hash(bytes: Uint8Array): number {
    let hash = 0x811c9dc5
    for (let i = 0; i < this.idStart; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193)
    for (let i = this.idEnd; i < this.rawStart; i++) {
      hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193)
    }
    return hash | 0
  }
}

const ID = (3 << 3) | 2
const RAW = (7 << 3) | 2
