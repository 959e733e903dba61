import { describe, expect, it } from 'vitest'
import { OverloadGate } from '../../../core/overload/gate.ts'
import {
  createSharedMemory,
  MAX_REGION_BYTES,
  MAX_REGIONS,
} from '../../../core/shared-memory/regions.ts'
import { memoryShm } from '../../helpers/memory-shm.ts'
import { failure } from '../protocol/rest/fake-server.ts'

const counting = (size: number): Uint8Array => Uint8Array.from({ length: size }, (_, i) => i % 251)

function setUp(options: { readonly mapped?: boolean } = {}) {
  const host = memoryShm({ a: counting(256), b: counting(64) }, options)
  const memory = createSharedMemory({ host, enabled: true })
  const register = (name: string, facts: object = {}): void =>
    memory.registerSystem({ name, key: '/a', offset: 0, byteSize: 128, owner: '', ...facts })
  return { host, memory, register }
}

describe('registering', () => {
  it('lists regions by name and opens each object once per region', () => {
    const { host, memory, register } = setUp()
    register('z', { offset: 8 })
    register('A')
    register('b', { key: 'b', byteSize: 64 })
    expect(memory.systemStatus('', '')).toEqual([
      { name: 'A', key: '/a', offset: 0, byteSize: 128 },
      { name: 'b', key: 'b', offset: 0, byteSize: 64 },
      { name: 'z', key: '/a', offset: 8, byteSize: 128 },
    ])
    expect(memory.systemStatus('z', '')).toHaveLength(1)
    expect(host.opened()).toBe(3)
  })

  it.each([
    [{ name: '' }, "'region name' is necessary to register system shared memory region"],
    [{ name: 'taken' }, "shared memory region 'taken' already in manager"],
    [{ key: '/nope' }, "Unable to open shared memory region: '/nope'"],
    [{ key: 'nope' }, "Unable to open shared memory region: 'nope'"],
    [{ byteSize: 257 }, "failed to register shared memory region 'r': invalid args"],
    [{ offset: 129 }, "failed to register shared memory region 'r': invalid args"],
    [{ offset: 2 ** 63 }, "failed to register shared memory region 'r': invalid args"],
    [{ offset: -1 }, "failed to register shared memory region 'r': invalid args"],
    [{ byteSize: 0 }, "failed to register shared memory region 'r': invalid args"],
    [{ byteSize: -8 }, "failed to register shared memory region 'r': invalid args"],
    [{ byteSize: 1.5 }, "failed to register shared memory region 'r': invalid args"],
    [{ byteSize: 2 ** 53 }, "failed to register shared memory region 'r': invalid args"],
    [{ offset: 2 ** 53 - 1 }, "failed to register shared memory region 'r': invalid args"],
    [
      { byteSize: 2 ** 53 - 1 },
      `failed to register shared memory region 'r': regions may have ${MAX_REGION_BYTES} bytes together`,
    ],
    [{ key: '//' }, "cannot register shared memory region 'r' - invalid shm key '//'"],
    [{ key: '' }, "cannot register shared memory region 'r' - invalid shm key ''"],
    [{ key: '/../a' }, "cannot register shared memory region 'r' - invalid shm key '/../a'"],
    [{ key: '..' }, "cannot register shared memory region 'r' - invalid shm key '..'"],
    [{ key: 'x/a' }, "cannot register shared memory region 'r' - invalid shm key 'x/a'"],
    [{ key: 'a\0b' }, "cannot register shared memory region 'r' - invalid shm key 'a\0b'"],
    [
      { key: '//triton_python_backend_shm_region_7' },
      "cannot register shared memory region 'r' with key '//triton_python_backend_shm_region_7' as the key contains the reserved prefix 'triton_python_backend_shm_region_'",
    ],
    [
      { key: 'nereid_x' },
      "cannot register shared memory region 'r' with key 'nereid_x' as the key contains the reserved prefix 'nereid_'",
    ],
  ])('refuses %j and keeps nothing of it open', (facts, text) => {
    const { host, register } = setUp()
    register('taken')
    expect(failure(() => register('r', facts))).toContain(text)
    expect(host.opened()).toBe(1)
  })

  it('stops at the limit of regions and goes on when one is gone', () => {
    const { memory, register } = setUp()
    for (let i = 0; i < MAX_REGIONS; i++) register(`r${i}`)
    const refusal = `INVALID_ARG: failed to register shared memory region 'x': the server has ${MAX_REGIONS} regions, which is the limit`
    expect(failure(() => register('x'))).toBe(refusal)
    expect(failure(() => register('x', { owner: 'other' }))).toBe(refusal)
    memory.unregisterSystem('r7', '')
    register('x')
    expect(failure(() => register('y'))).toContain('which is the limit')
  })

  it('keeps the names of owners apart', () => {
    const { memory, register } = setUp()
    register('r', { owner: 'ann' })
    register('r', { owner: 'bob', key: 'b', byteSize: 64 })
    expect(memory.systemStatus('', 'ann')[0]?.key).toBe('/a')
    expect(memory.systemStatus('', 'eve')).toEqual([])
    memory.unregisterSystem('', 'bob')
    expect(memory.systemStatus('', 'ann')).toHaveLength(1)
    const ref = { region: 'r', offset: 0, byteSize: 8 }
    expect(failure(() => memory.lease('bob').input(ref))).toBe(
      "NOT_FOUND: Unable to find shared memory region: 'r'",
    )
  })

  it('is refused where clients may not', () => {
    const memory = createSharedMemory({ host: memoryShm({ a: counting(8) }) })
    const text =
      "UNSUPPORTED: Client shared memory is disabled. Start the server with '--allow-client-shm=true' to enable."
    const region = { name: 'r', key: 'a', offset: 0, byteSize: 8, owner: '' }
    expect(memory.enabled).toBe(false)
    expect(failure(() => memory.registerSystem(region))).toBe(text)
    expect(failure(() => memory.unregisterSystem('', ''))).toBe(text)
    expect(failure(() => memory.unregisterCuda('', ''))).toBe(text)
    expect(memory.systemStatus('', '')).toEqual([])
  })

  it('answers for CUDA as a build without it', () => {
    const { memory, register } = setUp()
    register('r')
    const cuda = (name: string, bytes: number): string =>
      failure(() =>
        memory.registerCuda({
          name,
          rawHandle: new Uint8Array(bytes),
          byteSize: 8,
          deviceId: 0,
          owner: '',
        }),
      )
    expect(cuda('g', 63)).toBe(
      "INVALID_ARG: 'raw_handle' must be a valid base64 encoded cudaIpcMemHandle_t",
    )
    expect(cuda('g', 64)).toBe(
      "INVALID_ARG: failed to register CUDA shared memory region: 'g', GPUs not supported",
    )
    expect(memory.cudaStatus('', '')).toEqual([])
    expect(failure(() => memory.cudaStatus('g', ''))).toBe(
      "NOT_FOUND: Unable to find cuda shared memory region: 'g'",
    )
    expect(failure(() => memory.cudaStatus('r', ''))).toContain('is registered as system shared')
  })
})

describe('memory of GPUs', () => {
  const handle = (name: string): Uint8Array => {
    const bytes = new Uint8Array(64)
    bytes.set(new TextEncoder().encode(name))
    return bytes
  }
  function withGpus() {
    const host = memoryShm({ a: counting(64) })
    const gpu = memoryShm({ g: counting(32), h: counting(16) })
    const cuda = () => ({
      open: (bytes: Uint8Array, deviceId: number) =>
        deviceId > 1 ? null : gpu.open(new TextDecoder().decode(bytes).replaceAll('\0', '')),
    })
    const memory = createSharedMemory({ host: { ...host, cuda }, enabled: true })
    const register = (
      name: string,
      facts: { key?: string; byteSize?: number; deviceId?: number } = {},
    ) => {
      const { key = 'g', byteSize = 32, deviceId = 0 } = facts
      memory.registerCuda({ name, rawHandle: handle(key), byteSize, deviceId, owner: '' })
    }
    memory.registerSystem({ name: 's', key: 'a', offset: 0, byteSize: 64, owner: '' })
    return { memory, gpu, register }
  }

  it('is registered, read, written, listed and let go of beside system memory, under the same names', () => {
    const { memory, gpu, register } = withGpus()
    register('y', { deviceId: 1 })
    register('x', { key: 'h', byteSize: 8 })
    expect(memory.cudaStatus('', '')).toEqual([
      { name: 'x', deviceId: 0, byteSize: 8 },
      { name: 'y', deviceId: 1, byteSize: 32 },
    ])
    expect(memory.cudaStatus('y', '')).toHaveLength(1)
    expect(memory.systemStatus('', '').map(({ name }) => name)).toEqual(['s'])
    expect(failure(() => memory.systemStatus('x', ''))).toBe(
      "NOT_FOUND: The region named 'x' is registered as CUDA shared memory, not system shared memory",
    )
    expect(failure(() => register('s'))).toContain('already in manager')
    const lease = memory.lease('')
    expect([...lease.input({ region: 'y', offset: 4, byteSize: 2 })]).toEqual([4, 5])
    lease.output({ region: 'x', offset: 0, byteSize: 8 })
    memory.unregisterSystem('', '')
    memory.unregisterCuda('x', '')
    lease.write('O', { region: 'x', offset: 1, byteSize: 2 }, new Uint8Array([7, 8]))
    expect(gpu.objects.get('h')?.slice(0, 4)).toEqual(new Uint8Array([0, 7, 8, 3]))
    expect(gpu.opened()).toBe(2)
    lease.close()
    memory.unregisterCuda('', '')
    expect(gpu.opened()).toBe(0)
    expect(memory.cudaStatus('', '')).toEqual([])
  })

  it('is refused where the driver refuses it or it is too small, and nothing stays open', () => {
    const { gpu, register } = withGpus()
    const args = 'INVALID_ARG: failed to register shared memory region'
    expect(failure(() => register('x', { key: 'none' }))).toBe(`${args}: invalid args`)
    for (const deviceId of [2, -1, 0.5]) {
      expect(failure(() => register('x', { deviceId }))).toBe(`${args}: invalid args`)
    }
    for (const byteSize of [33, 0, -1]) {
      expect(failure(() => register('x', { byteSize }))).toBe(`${args} 'x': invalid args`)
    }
    expect(gpu.opened()).toBe(0)
  })
})

describe('a lease', () => {
  const ref = (offset: number, byteSize: number) => ({ region: 'r', offset, byteSize })

  it('reads a private copy that starts at a multiple of 8', () => {
    const { host, memory, register } = setUp()
    register('r', { offset: 3 })
    const data = memory.lease('').input(ref(5, 16))
    expect(data).toEqual(counting(256).slice(8, 24))
    expect(data.byteOffset % 8).toBe(0)
    host.objects.get('a')!.fill(0)
    expect(data).toEqual(counting(256).slice(8, 24))
  })

  it('is the memory itself where clients are trusted', () => {
    const { host, memory, register } = setUp({ mapped: true })
    register('r', { offset: 3 })
    const lease = memory.lease('')
    const data = lease.input(ref(5, 16))
    host.objects.get('a')!.fill(9)
    expect(data).toEqual(new Uint8Array(16).fill(9))
    lease.output(ref(32, 4))
    lease.write('O', ref(32, 4), Uint8Array.of(1, 2, 3, 4))
    expect([...host.objects.get('a')!.slice(34, 40)]).toEqual([9, 1, 2, 3, 4, 9])
  })

  it('writes an output where its request says', () => {
    const { host, memory, register } = setUp()
    register('r', { offset: 64 })
    const lease = memory.lease('')
    lease.output(ref(32, 4))
    lease.write('O', ref(32, 4), Uint8Array.of(7, 7))
    expect([...host.objects.get('a')!.slice(95, 99)]).toEqual([95, 7, 7, 98])
    expect(failure(() => lease.write('O', ref(32, 4), new Uint8Array(5)))).toBe(
      "INTERNAL: shared memory size specified with the request for output 'O' (4 bytes) should be at least 5 bytes to hold the results",
    )
  })

  it.each([
    [ref(128, 0), 'Invalid offset'],
    [ref(2 ** 63, 1), 'Invalid offset'],
    [ref(-1, 1), 'Invalid offset'],
    [ref(Number.NaN, 1), 'Invalid offset'],
    [ref(0, 129), 'Invalid offset + byte size'],
    [ref(127, 2), 'Invalid offset + byte size'],
    [ref(1, Number.MAX_SAFE_INTEGER), 'Invalid offset + byte size'],
    [ref(8, 2 ** 64), 'Invalid offset + byte size'],
    [ref(0, -1), 'Invalid offset + byte size'],
    [ref(0, Number.NaN), 'Invalid offset + byte size'],
  ])('refuses %j for inputs and outputs', (bad, text) => {
    const { memory, register } = setUp()
    register('r')
    const refusal = `INVALID_ARG: ${text} for shared memory region: 'r'`
    expect(failure(() => memory.lease('').input(bad))).toBe(refusal)
    expect(failure(() => memory.lease('').output(bad))).toBe(refusal)
  })

  it('keeps a region that is unregistered and registered anew meanwhile', () => {
    const { host, memory, register } = setUp()
    register('r')
    const lease = memory.lease('')
    lease.input(ref(0, 8))
    lease.output(ref(0, 8))
    memory.unregisterSystem('r', '')
    expect(memory.systemStatus('', '')).toEqual([])
    register('r', { key: 'b', byteSize: 64 })
    expect(host.opened()).toBe(2)
    lease.write('O', ref(0, 8), new Uint8Array(8).fill(5))
    expect(host.objects.get('a')![0]).toBe(5)
    expect(host.objects.get('b')![0]).toBe(0)
    lease.close()
    lease.close(true)
    expect(host.opened()).toBe(1)
    expect(failure(() => lease.write('O', ref(0, 8), new Uint8Array(8)))).toContain('NOT_FOUND')
  })

  it('notices that an object was truncated', () => {
    const { host, memory, register } = setUp()
    register('r')
    const lease = memory.lease('')
    lease.output(ref(0, 64))
    host.objects.set('a', new Uint8Array(10))
    expect(failure(() => memory.lease('').input(ref(0, 64)))).toBe(
      "INVALID_ARG: unable to read shared memory region: 'r'",
    )
    expect(failure(() => lease.write('O', ref(0, 64), new Uint8Array(64)))).toBe(
      "INVALID_ARG: unable to write shared memory region: 'r'",
    )
  })

  it('lends memory again after an answer, and never after anything else', () => {
    const host = memoryShm({ a: new Uint8Array(64 * 1024) })
    const memory = createSharedMemory({ host, enabled: true })
    memory.registerSystem({ name: 'r', key: 'a', offset: 0, byteSize: 64 * 1024, owner: '' })
    const read = (answered: boolean): ArrayBufferLike => {
      const lease = memory.lease('')
      const { buffer } = lease.input(ref(0, 32 * 1024))
      lease.close(answered)
      return buffer
    }
    const first = read(true)
    expect(read(false)).toBe(first)
    expect(read(true)).not.toBe(first)
  })
})

describe('copies of inputs', () => {
  it('count as what they are until the lease is closed, and are refused where they do not fit', () => {
    const MIB = 1024 * 1024
    const gate = new OverloadGate({ memoryBudget: 10 * MIB })
    const host = memoryShm({ a: new Uint8Array(4 * MIB) })
    const memory = createSharedMemory({ host, enabled: true, gate: gate.control })
    memory.registerSystem({ name: 'r', key: '/a', offset: 0, byteSize: 4 * MIB, owner: '' })
    const part = { region: 'r', offset: 0, byteSize: 4 * MIB }
    const [first, second] = [memory.lease(''), memory.lease('')]
    first.input(part)
    first.input(part)
    expect([gate.bytes, gate.inflight]).toEqual([8 * MIB, 0])
    expect(failure(() => second.input(part))).toMatch(/^UNAVAILABLE: .*memory budget/)
    second.close()
    expect(gate.bytes).toBe(8 * MIB)
    first.close(true)
    first.close()
    expect(gate.bytes).toBe(0)
  })

  it('of a mapped region are none', () => {
    const gate = new OverloadGate({ memoryBudget: 8 })
    const host = memoryShm({ a: counting(256) }, { mapped: true })
    const memory = createSharedMemory({ host, enabled: true, gate: gate.control })
    memory.registerSystem({ name: 'r', key: '/a', offset: 0, byteSize: 256, owner: '' })
    expect(memory.lease('').input({ region: 'r', offset: 0, byteSize: 256 })).toHaveLength(256)
    expect(gate.bytes).toBe(0)
  })
})
