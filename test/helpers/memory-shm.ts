import type { SharedMemoryHost } from '../../core/shared-memory/types.ts'

/** Shared memory objects that are arrays of the test. */
export interface MemoryShm extends SharedMemoryHost {
  /** By name, without a slash. Assign a shorter array to truncate. */
  readonly objects: Map<string, Uint8Array>
  /** How many files are open now. */
  readonly opened: () => number
}

export function memoryShm(
  objects: Readonly<Record<string, Uint8Array>>,
  options: { readonly mapped?: boolean } = {},
): MemoryShm {
  const all = new Map(Object.entries(objects))
  let opened = 0
  return {
    objects: all,
    opened: () => opened,
    open(name) {
      if (!all.has(name)) return null
      const bytes = (): Uint8Array => all.get(name)!
      let closed = false
      opened++
      const live = (): void => {
        if (closed) throw new Error(`${name} is closed`)
      }
      return {
        size: () => bytes().length,
        read(offset, target) {
          live()
          const part = bytes().subarray(offset, offset + target.length)
          target.set(part)
          return part.length
        },
        write(offset, source) {
          live()
          if (offset + source.length > bytes().length) return 0
          bytes().set(source, offset)
          return source.length
        },
        ...(options.mapped
          ? { map: (offset: number, size: number) => bytes().subarray(offset, offset + size) }
          : {}),
        close() {
          if (closed) throw new Error(`${name} is closed twice`)
          closed = true
          opened--
        },
      }
    },
  }
}
