import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { nodeClock } from '../../../adapters/platform/clock.ts'
import { CLOSE_MS, RETRY_MS, traceFile } from '../../../adapters/trace/file.ts'
import { diskTraceStore, type TraceStore } from '../../../adapters/trace/file-store.ts'
import { createLog } from '../../../core/log.ts'
import { createFakeClock } from '../../helpers/fake-clock.ts'
import { until } from '../../helpers/until.ts'

let folder: string
let path: string
let logged: string[]

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nereid-trace-'))
  path = join(folder, 'trace.json')
  logged = []
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const newLog = () => createLog({ write: (line) => logged.push(line), epochUs: () => 0, pid: 1 })
const read = (file = path): unknown => JSON.parse(readFileSync(file, 'utf8'))

/** Turns of the event loop until the writer is done with what it has. */
async function settled(turns = 20): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve))
}

test('what is appended is an array after every write, and what the file held before is gone', async () => {
  writeFileSync(path, 'old')
  const store = diskTraceStore(path)
  for (let i = 1; i <= 3; i++) {
    await store.append(`{"id":${i}}`)
    expect(read()).toHaveLength(i)
  }
  await store.close()
  expect(readFileSync(path, 'utf8')).toBe('[{"id":1},{"id":2},{"id":3}]')
})

test('traces are written in their order, and indexed files count from 0', async () => {
  const file = traceFile({ path, store: diskTraceStore(path), clock: nodeClock(), log: newLog() })
  for (let i = 0; i < 100; i++) file.append(`{"id":${i}}`)
  file.index(['{"id":"a"}', '{"id":"b"}'])
  file.append('{"id":100}')
  file.index(['{"id":"c"}'])
  await file.close()
  expect(read()).toEqual(Array.from({ length: 101 }, (_, id) => ({ id })))
  expect(read(`${path}.0`)).toEqual([{ id: 'a' }, { id: 'b' }])
  expect(read(`${path}.1`)).toEqual([{ id: 'c' }])
  expect(logged).toEqual([])
})

test('a file without traces is not made', async () => {
  const file = traceFile({ path, store: diskTraceStore(path), clock: nodeClock(), log: newLog() })
  await file.close()
  await file.close()
  expect(readdirSync(folder)).toEqual([])
})

test('a folder that is missing is said once; when it is there, everything is written', async () => {
  const late = join(folder, 'late')
  path = join(late, 'trace.json')
  const clock = nodeClock()
  const file = traceFile({ path, store: diskTraceStore(path), clock, log: newLog() })
  file.append('{"id":1}')
  while (logged.length === 0) await settled(1)
  expect(logged[0]).toMatch(/trace file .* cannot be written: ENOENT/)
  file.append('{"id":2}')
  mkdirSync(late)
  while (logged.length === 1) await settled(1)
  expect(logged[1]).toMatch(/is written again; 0 traces were lost so far/)
  await file.close()
  expect(read()).toEqual([{ id: 1 }, { id: 2 }])
  expect(logged).toHaveLength(2)
})

test('a disk that is full is said once, nobody waits for it, and a close gives up', async () => {
  const file = traceFile({
    path: '/dev/full',
    store: diskTraceStore('/dev/full'),
    clock: nodeClock(),
    log: newLog(),
  })
  for (let i = 0; i < 10; i++) {
    file.append(`{"id":${i}}`)
    await settled(2)
  }
  await file.close()
  expect(logged.filter((line) => line.includes('ENOSPC'))).toHaveLength(1)
  expect(file.lost).toBe(10)
})

/** A disk that takes as many more bytes as it is told, and part of what does not fit. */
function smallDisk(store: TraceStore): TraceStore & { full: boolean } {
  return {
    full: false,
    async append(objects) {
      if (this.full) throw Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' })
      await store.append(objects)
    },
    async index(index, objects) {
      if (this.full) throw Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' })
      await store.index(index, objects)
    },
    close: () => store.close(),
  }
}

test('while a disk is full the latest traces are kept, as many as there is room for, and written when it is not', async () => {
  const clock = createFakeClock()
  const disk = smallDisk(diskTraceStore(path))
  const file = traceFile({ path, store: disk, clock, log: newLog(), maxChars: 100 })
  const append = (id: number): void => {
    file.append(JSON.stringify({ id, text: 'x'.repeat(10) }))
    clock.settle()
  }
  append(0)
  await until(() => existsSync(path) && readFileSync(path, 'utf8').endsWith(']'))
  await settled()
  disk.full = true
  append(1)
  await until(() => logged.length === 1)
  for (let id = 2; id <= 50; id++) append(id)
  expect(logged).toHaveLength(1)
  expect(read()).toHaveLength(1)
  const { lost } = file
  expect(lost).toBeGreaterThan(40)
  disk.full = false
  clock.advance(RETRY_MS * 1e6)
  clock.settle()
  await until(() => logged.length === 2)
  expect(logged[1]).toContain(`is written again; ${lost} traces were lost so far`)
  append(51)
  await until(() => (read() as object[]).length === 52 - lost)
  const ids = (read() as { id: number }[]).map(({ id }) => id)
  expect(ids).toEqual([0, ...Array.from({ length: 50 - lost }, (_, i) => lost + 1 + i), 51])
  const closed = file.close()
  clock.settle()
  await closed
})

test('a write that failed half-way leaves an array, and is done again from where it began', async () => {
  const store = diskTraceStore(path)
  await store.append('{"id":1}')
  const before = readFileSync(path, 'utf8')
  const { FileHandle } = await handles()
  const write = FileHandle.prototype.write
  let calls = 0
  FileHandle.prototype.write = function (this: unknown, ...given: unknown[]) {
    calls++
    // The first call takes three bytes, the second none.
    if (calls === 1) return Reflect.apply(write, this, [given[0], given[1], 3, given[3]])
    if (calls === 2) return Promise.reject(Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' }))
    return Reflect.apply(write, this, given)
  } as typeof write
  try {
    await expect(store.append('{"id":2}')).rejects.toThrow('ENOSPC')
  } finally {
    FileHandle.prototype.write = write
  }
  expect(readFileSync(path, 'utf8')).toBe(before)
  await store.append('{"id":2}')
  await store.close()
  expect(read()).toEqual([{ id: 1 }, { id: 2 }])
})

async function handles() {
  const { open } = await import('node:fs/promises')
  const handle = await open(join(folder, 'probe'), 'w')
  await handle.close()
  type Handle = typeof handle
  return { FileHandle: handle.constructor as { prototype: { write: Handle['write'] } } }
}

test('a close does not wait for a disk that does not answer', async () => {
  const clock = createFakeClock()
  const never: TraceStore = {
    append: () => new Promise(() => undefined),
    index: () => new Promise(() => undefined),
    close: async () => undefined,
  }
  const file = traceFile({ path, store: never, clock, log: newLog() })
  file.append('{"id":1}')
  clock.settle()
  const closed = file.close()
  clock.advance(CLOSE_MS * 1e6)
  await closed
})
