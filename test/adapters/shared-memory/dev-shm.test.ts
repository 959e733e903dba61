import { execFileSync } from 'node:child_process'
import { openSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { devShm, MAX_CALL_BYTES, ShmFile } from '../../../adapters/shared-memory/dev-shm.ts'
import { posixSharedMemory } from '../../../adapters/shared-memory/posix.ts'
import { NO_DEV_SHM, type ShmObject, shmObject } from '../../helpers/dev-shm.ts'

const made: ShmObject[] = []
const make = (size: number): ShmObject => {
  const object = shmObject(`host-${made.length}`, size)
  made.push(object)
  return object
}
const name = (object: ShmObject): string => object.key.slice(1)
const openFiles = (): number => readdirSync('/proc/self/fd').length

afterEach(() => {
  for (const object of made.splice(0)) object.remove()
})

describe.skipIf(NO_DEV_SHM !== undefined)('shared memory of Linux', () => {
  it('reads, writes and measures an object', () => {
    const object = make(100)
    const file = devShm().open(name(object))!
    expect(file.size()).toBe(100)
    expect(file.map).toBeUndefined()
    object.write(10, Uint8Array.of(1, 2, 3))
    const target = new Uint8Array(4)
    expect(file.read(10, target)).toBe(4)
    expect([...target]).toEqual([1, 2, 3, 0])
    expect(file.write(98, Uint8Array.of(8, 9))).toBe(2)
    expect([...object.read(97, 3)]).toEqual([0, 8, 9])
    file.close()
    file.close()
  })

  it('reads and writes more than one call of the system takes', () => {
    expect(MAX_CALL_BYTES).toBeLessThan(2 ** 31)
    const object = make(100)
    const file = new ShmFile(openSync(`/dev/shm/${name(object)}`, 'r+'), undefined, 7)
    const bytes = Uint8Array.from({ length: 64 }, (_, i) => i + 1)
    expect(file.write(5, bytes)).toBe(64)
    const target = new Uint8Array(64)
    expect(file.read(5, target)).toBe(64)
    expect(target).toEqual(bytes)
    expect([...object.read(4, 2), ...object.read(68, 2)]).toEqual([0, 1, 64, 0])
    expect(file.read(95, target)).toBe(5)
    file.close()
  })

  it('comes short at the end of an object that shrank, and never makes it grow', () => {
    const object = make(100)
    const file = devShm().open(name(object))!
    object.truncate(40)
    expect(file.read(30, new Uint8Array(20))).toBe(10)
    expect(file.read(60, new Uint8Array(20))).toBe(0)
    expect(file.write(30, new Uint8Array(20))).toBe(0)
    expect(file.write(60, new Uint8Array(20))).toBe(0)
    expect(file.size()).toBe(40)
    file.close()
  })

  it('opens objects and nothing else', () => {
    const before = openFiles()
    const host = devShm()
    const target = join(tmpdir(), `secret-${process.pid}`)
    const link = `/dev/shm/link-${process.pid}`
    const pipe = `/dev/shm/pipe-${process.pid}`
    writeFileSync(target, 'secret')
    symlinkSync(target, link)
    execFileSync('mkfifo', [pipe])
    try {
      expect(host.open(`link-${process.pid}`)).toBeNull()
      expect(host.open(`pipe-${process.pid}`)).toBeNull()
      expect(host.open('.')).toBeNull()
      expect(host.open('no such object')).toBeNull()
      expect(openFiles()).toBe(before)
    } finally {
      for (const path of [link, pipe, target]) rmSync(path)
    }
  })

  it('maps objects of trusted clients', async () => {
    const object = make(5000)
    const file = (await posixSharedMemory({ trustClients: true })).open(name(object))!
    const view = file.map!(4097, 100)
    file.close()
    object.write(4097, Uint8Array.of(5))
    expect(view[0]).toBe(5)
    view[1] = 6
    expect(object.read(4098, 1)[0]).toBe(6)
  })

  it('says where a system has none', async () => {
    const windows = await posixSharedMemory({ platform: 'win32', trustClients: true })
    expect(() => windows.open('x')).toThrow('currently not supported on Windows')
    const mac = await posixSharedMemory({ platform: 'darwin' })
    expect(() => mac.open('x')).toThrow('on darwin needs --shm-trust-clients')
  })
})
