import { type FileHandle, open, rm, writeFile } from 'node:fs/promises'

/** What a trace file needs of a file system. Everything may fail and be tried again. */
export interface TraceStore {
  /** Makes `objects` part of the array in the file, which is whole after every call, also after one that failed. */
  append(objects: string): Promise<void>
  /** Makes the file `.<index>` an array of `objects`. */
  index(index: number, objects: string): Promise<void>
  close(): Promise<void>
}

/** Traces on a disk. What `path` held before is replaced with the first write. */
export function diskTraceStore(path: string): TraceStore {
  let handle: FileHandle | undefined
  /** Where the next object goes: over the bracket that ends the array. 0 = there is none. */
  let end = 0

  return {
    async append(objects) {
      handle ??= await open(path, 'w')
      const bytes = Buffer.from(`${end === 0 ? '[' : ','}${objects}]`)
      try {
        for (let at = 0; at < bytes.length; ) {
          const { bytesWritten } = await handle.write(bytes, at, bytes.length - at, end + at)
          at += bytesWritten
        }
      } catch (error) {
        await cutOff(handle, end).catch(() => undefined)
        throw error
      }
      end += bytes.length - 1
    },
    async index(index, objects) {
      const file = `${path}.${index}`
      try {
        await writeFile(file, `[${objects}]`)
      } catch (error) {
        await rm(file, { force: true }).catch(() => undefined)
        throw error
      }
    },
    async close() {
      await handle?.close()
      handle = undefined
    },
  }
}

/** Ends the array at `end` again. That takes no room: the bytes are there. */
async function cutOff(handle: FileHandle, end: number): Promise<void> {
  if (end > 0) await handle.write(Buffer.from(']'), 0, 1, end)
  await handle.truncate(end === 0 ? 0 : end + 1)
}
