const MULTIPLIER = 0xc6a4a7935bd1e995n
const SEED = 0xc70f6907n
const MASK = (1n << 64n) - 1n

/** Bucket counts through which the C++ standard library's hash tables grow. */
const BUCKETS: readonly number[] = [13, 29, 59, 127, 257, 541, 1109, 2357, 5087]

/**
 * `items` in the order in which Triton's onnxruntime backend lists auto-completed tensors: it walks a hash table of their
 * names (libstdc++'s `unordered_map`, filled in the model's order). Clients that go by position see the same one.
 */
export function inHashOrder<T extends { readonly name: string }>(items: readonly T[]): T[] {
  let buckets = BUCKETS[0] as number
  let table: Entry<T>[] = []
  for (const item of items) {
    if (table.length + 1 > buckets) {
      const grown = BUCKETS.find((count) => count > buckets)
      // Far beyond any model's tensors: their own order will do.
      if (grown === undefined) return [...items]
      buckets = grown
      const old = table
      table = []
      for (const entry of old) insert(table, entry, buckets)
    }
    insert(table, { item, hash: hashOf(item.name), bucket: 0 }, buckets)
  }
  return table.map((entry) => entry.item)
}

interface Entry<T> {
  readonly item: T
  readonly hash: bigint
  bucket: number
}

/** A new entry goes before the others of its bucket; one alone in its bucket goes first of all. */
function insert<T>(table: Entry<T>[], entry: Entry<T>, buckets: number): void {
  entry.bucket = Number(entry.hash % BigInt(buckets))
  const at = table.findIndex((other) => other.bucket === entry.bucket)
  table.splice(Math.max(at, 0), 0, entry)
}

/** MurmurHash64A with the standard library's seed. */
function hashOf(name: string): bigint {
  const bytes = new TextEncoder().encode(name)
  const whole = bytes.length & ~7
  let hash = SEED ^ ((BigInt(bytes.length) * MULTIPLIER) & MASK)
  for (let at = 0; at < whole; at += 8) {
    const word = mix((littleEndian(bytes.subarray(at, at + 8)) * MULTIPLIER) & MASK)
    hash = ((hash ^ ((word * MULTIPLIER) & MASK)) * MULTIPLIER) & MASK
  }
  if (whole < bytes.length) {
    hash = ((hash ^ littleEndian(bytes.subarray(whole))) * MULTIPLIER) & MASK
  }
  return mix((mix(hash) * MULTIPLIER) & MASK)
}

function mix(value: bigint): bigint {
  return value ^ (value >> 47n)
}

function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n)
}
