import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { unpack } from '../../../../adapters/backends/python/unpack.ts'
import { ask, floats, told } from './asks.ts'
import { folder, MISSING, PYTHON, serveModels, write } from './rig.ts'

const IO = `
  input [ { name: "X" data_type: TYPE_FP32 dims: [ -1 ] } ]
  output [ { name: "Y" data_type: TYPE_FP32 dims: [ -1 ] } ]
  instance_group [ { kind: KIND_CPU } ]
`
const CODE = `
import os, shutil
import numpy as np
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        y = np.array([int(os.environ["OWN"]), len(shutil.which("python"))], np.float32)
        return [pb_utils.InferenceResponse([pb_utils.Tensor("Y", y)]) for _ in requests]
`
const parameter = (value: string): string =>
  `parameters { key: "EXECUTION_ENV_PATH" value { string_value: "${value}" } }`

/** One entry of a tar archive. */
function entry(name: string, type: string, more: { target?: string; data?: Buffer } = {}): Buffer {
  const { target = '', data = Buffer.alloc(0) } = more
  const header = Buffer.alloc(512)
  header.write(name, 0)
  header.write('0000755\0', 100)
  header.write(`${data.length.toString(8).padStart(11, '0')}\0`, 124)
  header.write('        ', 148)
  header.write(type, 156)
  header.write(target, 157)
  header.write('ustar\0', 257)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return Buffer.concat([header, data, Buffer.alloc((512 - (data.length % 512)) % 512)])
}

function archive(...entries: readonly Buffer[]): string {
  const path = join(folder(), 'a.tar.gz')
  writeFileSync(path, gzipSync(Buffer.concat([...entries, Buffer.alloc(1024)])))
  return path
}

const hello = { data: Buffer.from('hello') }

describe('an archive of an environment', () => {
  test('is unpacked with its folders, links and long names as tar has them', async () => {
    const from = folder()
    const long = `${'deep/'.repeat(30)}${'x'.repeat(120)}.py`
    write(join(from, 'lib', long), 'text')
    write(join(from, 'bin/python3.11'), '#!')
    symlinkSync('python3.11', join(from, 'bin/python'))
    symlinkSync('../lib', join(from, 'bin/lib'))
    for (const format of ['gnu', 'pax']) {
      const path = join(folder(), 'a.tar.gz')
      execFileSync('tar', [`--format=${format}`, '-czf', path, '-C', from, '.'])
      const to = folder()
      await unpack(path, to)
      expect(readdirSync(join(to, 'bin')).sort()).toEqual(['lib', 'python', 'python3.11'])
      expect(existsSync(join(to, 'bin/lib', long))).toBe(true)
    }
  })

  for (const [what, entries, text] of [
    ['a name that climbs', [entry('../evil', '0', hello)], 'leads out'],
    ['a name that climbs inside', [entry('a/../../evil', '0', hello)], 'leads out'],
    ['an absolute name', [entry('/evil', '0', hello)], 'absolute'],
    ['a link that leaves', [entry('a', '2', { target: '../../etc' })], 'leads out'],
    ['an absolute link', [entry('a', '2', { target: '/etc/passwd' })], 'absolute'],
    [
      'a file behind a link',
      [entry('d', '5'), entry('a', '2', { target: 'd' }), entry('a/x', '0', hello)],
      'behind a link',
    ],
    [
      'links that leave together',
      [
        entry('p/q/', '5'),
        entry('p/q/d', '2', { target: '../..' }),
        entry('e', '2', { target: 'p/q/d/..' }),
      ],
      'leads out',
    ],
    ['a hard link that leaves', [entry('a', '1', { target: '../../etc/passwd' })], 'leads out'],
    ['a device', [entry('a', '3')], 'neither a file'],
    ['a pipe', [entry('a', '6')], 'neither a file'],
    ['a file over a link', [entry('a', '2', { target: 'b' }), entry('a', '0', hello)], 'EEXIST'],
    ['more bytes than there are', [entry('a', '0', hello).subarray(0, 514)], 'too early'],
    ['no archive', [Buffer.alloc(512, 7)], 'no tar archive'],
  ] as const) {
    test(`with ${what} is refused`, async () => {
      const to = folder()
      const path = archive(...entries)
      if (text === 'too early') writeFileSync(path, gzipSync(entries[0]))
      await expect(unpack(path, join(to))).rejects.toThrow(text)
      expect(existsSync(join(to, '..', 'evil'))).toBe(false)
    })
  }

  test('with too many entries, or out of proportion, is refused', async () => {
    const many = Array.from({ length: 11 }, (_, i) => entry(`f${i}`, '0', hello))
    await expect(unpack(archive(...many), folder(), { entries: 10 })).rejects.toThrow('10 entries')
    const bomb = archive(entry('zeros', '0', { data: Buffer.alloc(4_000_000) }))
    const limits = { ratio: 10, ratioFloorBytes: 1_000_000 }
    await expect(unpack(bomb, folder(), limits)).rejects.toThrow('more than 1000000 bytes')
    await expect(unpack(bomb, folder(), { bytes: 1_000 })).rejects.toThrow('more than 1000 bytes')
  })
})

describe.skipIf(MISSING !== undefined)(`an execution environment (${MISSING ?? ''})`, () => {
  const unpacked = (): number =>
    readdirSync(tmpdir()).filter((name) => name.startsWith('nereid-environment-')).length

  /** What stands for a Python of its own. */
  function environment(): string {
    const path = folder()
    mkdirSync(join(path, 'bin'))
    const script = `#!/bin/sh\nOWN=42 exec ${PYTHON} "$@"\n`
    writeFileSync(join(path, 'bin/python3'), script, { mode: 0o755 })
    symlinkSync('python3', join(path, 'bin/python'))
    return path
  }

  test('that lies with the model runs it, as a folder and as an archive, which is gone with it', async () => {
    const before = unpacked()
    const from = environment()
    const path = join(folder(), 'env.tar.gz')
    execFileSync('tar', ['-czf', path, '-C', from, '.'])
    const config = IO + parameter('$$TRITON_MODEL_DIRECTORY/env')
    const packed = IO + parameter('$$TRITON_MODEL_DIRECTORY/env.tar.gz')
    const serving = await serveModels(
      { m: { config, code: CODE }, n: { config: packed, code: CODE } },
      { modelControlMode: 'explicit' },
    )
    execFileSync('cp', ['-r', from, join(serving.repository, 'm/env')])
    execFileSync('cp', [path, join(serving.repository, 'n/env.tar.gz')])
    await serving.server.load('m', {})
    await serving.server.load('n', {})
    const [own, which] = (await told(ask(serving, 'm', [floats('X', [1])]))) as number[]
    expect(own).toBe(42)
    expect(which).toBe(join(serving.repository, 'm/env/bin/python').length)
    expect(await told(ask(serving, 'n', [floats('X', [1])]))).toContain(42)
    expect(unpacked()).toBe(before + 1)
    await serving.server.close(5_000)
    expect(unpacked()).toBe(before)
  })

  for (const value of [
    '/etc',
    '$$TRITON_MODEL_DIRECTORY/../n',
    '../n',
    '/etc/passwd',
    'file:///etc',
  ]) {
    test(`at ${value} is refused`, async () => {
      const { server } = await serveModels({ m: { config: IO + parameter(value), code: CODE } })
      const [entry] = await server.index(false)
      expect(entry?.reason).toContain('EXECUTION_ENV_PATH')
    })
  }
})
