import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { findOpenVinoLibrary } from '../../../native/openvino/find.ts'
import { loadOpenVino } from '../../../native/openvino/runtime.ts'
import { FIXTURES, LIBRARY, missing } from '../../adapters/backends/openvino/fixtures.ts'

describe('the library is found', () => {
  const root = mkdtempSync(join(tmpdir(), 'nereid-openvino-'))
  afterAll(() => rmSync(root, { recursive: true, force: true }))
  const file = (path: string): string => {
    const whole = join(root, path)
    mkdirSync(dirname(whole), { recursive: true })
    writeFileSync(whole, '')
    return whole
  }

  test('where somebody names the file, whether it is there or not', () => {
    expect(findOpenVinoLibrary({ path: '/nowhere/x.so' })).toBe('/nowhere/x.so')
  })

  test.each([
    ['folder/libopenvino_c.so.2641', 'folder'],
    ['archive/runtime/lib/intel64/libopenvino_c.so', 'archive'],
    ['venv/lib/python3.11/site-packages/openvino/libs/libopenvino_c.so.2641', 'venv'],
    ['system/lib/python3/dist-packages/openvino/libs/libopenvino_c.so.2024', 'system'],
    ['wheel/openvino/libs/libopenvino_c.so.2641', 'wheel'],
  ])('at %s, below %s', (path, named) => {
    const whole = file(path)
    expect(findOpenVinoLibrary({ path: join(root, named) })).toBe(whole)
    expect(findOpenVinoLibrary({ folders: [join(root, 'absent'), join(root, named)] })).toBe(whole)
  })

  test('and not among other files', () => {
    file('other/libopenvino.so.2641')
    file('other/libopenvino_c.so.txt')
    symlinkSync('/nowhere', join(root, 'other/lib'))
    expect(findOpenVinoLibrary({ path: join(root, 'other') })).toBeUndefined()
  })
})

describe.skipIf(LIBRARY === undefined)(`OpenVINO by FFI${missing}`, () => {
  const load = () => loadOpenVino(LIBRARY ?? '')
  const model = (name: string) => ({ path: join(FIXTURES, `${name}.xml`) })

  test('it says its version and its devices', () => {
    const ov = load()
    expect(ov.version).toMatch(/^20\d\d\.\d/)
    const core = ov.openCore()
    expect(core.devices()).toContain('CPU')
    core.close()
    core.close()
  })

  test('a failing call becomes an error with its status and text', async () => {
    const core = load().openCore()
    await expect(core.read({ path: '/nowhere/model.xml' })).rejects.toMatchObject({
      status: -1,
      message: expect.stringMatching(/Could not open the file: "\/nowhere\/model\.xml"$/),
    })
    core.close()
  })

  test('a model takes other shapes, or stays as it was', async () => {
    const core = load().openCore()
    const read = await core.read(model('add_sub'))
    const shapes = (a: number[], b: number[]) =>
      new Map([
        ['A', a],
        ['B', b],
      ])
    read.reshape(shapes([2, 4], [2, 4]))
    expect(read.outputs.map(({ shape }) => shape)).toEqual([
      [2, 4],
      [2, 4],
    ])
    expect(() => read.reshape(shapes([2, 4], [2, 5]))).toThrow(/inconsistent/)
    expect(read.outputs[0]?.shape).toEqual([2, 4])
    read.reshape(shapes([-1, 4], [-1, 4]))
    expect(read.outputs[0]?.shape).toEqual([-1, 4])
    read.close()
    read.close()
    core.close()
  })

  test('settings reach the device, and what it does not know is refused', async () => {
    const core = load().openCore()
    const read = await core.read(model('static'))
    const compiled = await core.compile(read, 'CPU', new Map([['NUM_STREAMS', '1']]))
    expect(compiled.property('NUM_STREAMS')).toBe('1')
    await expect(core.compile(read, 'CPU', new Map([['COLOUR', 'red']]))).rejects.toThrow(/COLOUR/)
    const many = new Map(Array.from({ length: 7 }, (_, i) => [`P${i}`, '']))
    await expect(core.compile(read, 'CPU', many)).rejects.toThrow('there is room for 6')
    await compiled.close()
    await compiled.close()
    read.close()
    core.close()
  })

  test('strings cross with their NUL bytes', () => {
    const ov = load()
    const elements = [[], [0], [97, 0, 98], new Array(40).fill(255)].map((bytes) =>
      Uint8Array.from(bytes),
    )
    const tensor = ov.stringTensor(elements, [2, 2])
    expect(ov.shapeOf(tensor)).toEqual([2, 2])
    expect(ov.strings(tensor, 4).map((e) => [...e])).toEqual(elements.map((e) => [...e]))
    ov.api.freeTensor(tensor)
    const none = ov.stringTensor([], [0])
    expect(ov.strings(none, 0)).toEqual([])
    ov.api.freeTensor(none)
  })

  test('strings survive any amount of them', () => {
    const ov = load()
    for (let i = 0; i < 3_000; i++) {
      const elements = Array.from({ length: 1 + (i % 6) }, (_, at) =>
        new Uint8Array((i * 7 + at * 13) % 45).fill(i),
      )
      const tensor = ov.stringTensor(elements, [elements.length])
      expect(Buffer.concat(ov.strings(tensor, elements.length))).toEqual(Buffer.concat(elements))
      ov.api.freeTensor(tensor)
    }
  })
})
