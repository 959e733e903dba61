import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { diskStore } from '../../adapters/stores/disk.ts'
import { ServerError } from '../../core/errors.ts'
import { MAX_NAME_BYTES, MAX_PATH_DEPTH, safeJoin, safeName } from '../../core/paths.ts'
import { fileMapStore } from '../../core/repository/file-map.ts'
import { createServer, type Server } from '../../core/server.ts'
import { createMemoryLog, createTurnClock, fakeConfig } from '../core/repository/harness.ts'
import { createFakeBackend } from '../helpers/fake-backend.ts'

// Names that have escaped from somewhere, alone and within others.
const HOSTILE = [
  '..',
  '.',
  '../x',
  'x/..',
  'a/../b',
  '%2f',
  '%2e%2e',
  '%252e%252e%252fx',
  '\\',
  '..\\x',
  'a\0b',
  '/etc/passwd',
  '//host/share',
  'file:///etc/passwd',
  'a//b',
  ' ',
  '',
  '\t',
  '.. ',
  ' ..',
  '\u2024\u2024',
  '\uff0e\uff0e',
  '\uff0f',
  '\uff3c',
  'a\nb',
  'a\r\nb',
  '\x1b[31m',
  '\ud800',
  'x'.repeat(300),
  'ü'.repeat(128),
]

const anyName = fc.oneof(
  fc.constantFrom(...HOSTILE),
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc
    .array(fc.constantFrom('..', '.', '/', '\\', '%2f', '%252f', '\0', ' ', 'a', '\uff0e', '1'), {
      maxLength: 12,
    })
    .map((parts) => parts.join('')),
)

describe('safeName', () => {
  it('refuses every name that could become another path', () => {
    for (const name of HOSTILE) {
      expect(() => safeName(name, 'model name'), JSON.stringify(name)).toThrow(ServerError)
    }
  })

  it('takes the names that people give their models', () => {
    for (const name of ['simple', 'a.b', 'résumé', '模型', 'v1.2-rc_3', '..data', 'a b', '100%']) {
      expect(safeName(name, 'model name')).toBe(name)
    }
  })

  it('counts bytes, not characters', () => {
    expect(safeName('x'.repeat(MAX_NAME_BYTES), 'model name')).toHaveLength(MAX_NAME_BYTES)
    expect(() => safeName('x'.repeat(MAX_NAME_BYTES + 1), 'model name')).toThrow('longer than 255')
    expect(safeName(`x${'ü'.repeat(127)}`, 'model name')).toHaveLength(128)
    expect(() => safeName('ü'.repeat(128), 'model name')).toThrow('longer than 255')
  })

  it('names what was wrong in one short line', () => {
    expect(() => safeName('../x', 'model name')).toThrow(
      "invalid model name '../x', model name must not contain path traversal characters",
    )
    fc.assert(
      fc.property(anyName, (name) => {
        try {
          safeName(name, 'model name')
        } catch (error) {
          expect((error as Error).message.length).toBeLessThan(200)
        }
      }),
      { seed: 1, numRuns: 2_000 },
    )
  })
})

describe('safeJoin', () => {
  it('never leaves its base', () => {
    fc.assert(
      fc.property(fc.array(anyName, { minLength: 1, maxLength: 4 }), (parts) => {
        let path: string
        try {
          path = safeJoin('base', ...parts)
        } catch (error) {
          expect(error).toBeInstanceOf(ServerError)
          return
        }
        // The judge is the platform's own resolver, not the code under test.
        expect(
          new URL(`file:///root/${path.split('/').map(encodeURIComponent).join('/')}`).pathname,
        ).toMatch(/^\/root\/base\/./)
        expect(join('/root', path).startsWith('/root/base/')).toBe(true)
        expect(path).not.toMatch(/[\0\\]/)
      }),
      { seed: 2, numRuns: 5_000 },
    )
  })

  it('ends at a depth', () => {
    const deep = Array.from({ length: MAX_PATH_DEPTH }, () => 'a').join('/')
    expect(safeJoin('', deep)).toBe(deep)
    expect(() => safeJoin('', `${deep}/a`)).toThrow('deeper than 32')
  })
})

describe('a server on a disk repository', () => {
  let folder = ''
  let server: Server

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nereid-paths-'))
    await mkdir(join(folder, 'repository/good/1'), { recursive: true })
    await writeFile(join(folder, 'repository/good/config.pbtxt'), fakeConfig())
    await writeFile(join(folder, 'secret.txt'), 'secret')
    await mkdir(join(folder, 'outside/1'), { recursive: true })
    await writeFile(join(folder, 'outside/config.pbtxt'), fakeConfig())
    server = await createServer({
      platform: { clock: createTurnClock(), log: createMemoryLog() },
      stores: [diskStore({ root: join(folder, 'repository') })],
      backends: [createFakeBackend()],
      options: { modelControlMode: 'explicit', loadModels: ['good'] },
    })
  })

  afterAll(async () => {
    await server.close()
    await rm(folder, { recursive: true, force: true })
  })

  async function everythingIn(path: string): Promise<string[]> {
    return (await readdir(path, { recursive: true })).sort()
  }

  it('refuses hostile model names on load and takes them calmly on unload', async () => {
    const before = await everythingIn(folder)
    for (const name of [...HOSTILE, '../outside', 'good/../../outside']) {
      await expect(server.load(name, {}), JSON.stringify(name)).rejects.toMatchObject({
        code: 'INVALID_ARG',
      })
      await server.unload(name, false)
      expect(() => server.model(name, '')).toThrow('is not found')
    }
    expect(await everythingIn(folder)).toEqual(before)
    expect(server.modelReady('good', '')).toBe(true)
  })

  it('refuses inline files that are not below a version folder, and writes nothing', async () => {
    const before = await everythingIn(folder)
    const names = [
      ...HOSTILE,
      '../good/1/model.bin',
      '1/../../x',
      '1/..',
      '/1/model.bin',
      '01/model.bin',
      'config.pbtxt',
      '1',
      '1/',
      '1//x',
      '1/a b',
      '1/%2e%2e/x',
    ]
    for (const name of names) {
      const files = new Map([[name, new Uint8Array(1)]])
      await expect(
        server.load('inline', { config: '{"backend":"fake"}', files }),
        JSON.stringify(name),
      ).rejects.toMatchObject({ code: 'INVALID_ARG' })
    }
    expect(await everythingIn(folder)).toEqual(before)
  })

  it('reads no file outside the model through any path field of a config', async () => {
    const paths = ['../secret.txt', '/etc/passwd', 'file:///etc/passwd', '//host/x', 'a\\..\\b']
    const fields = [
      (path: string) =>
        `output [ { name: "O" data_type: TYPE_INT32 dims: [1] label_filename: "${path}" } ]`,
      (path: string) => `default_model_filename: "${path}"`,
      (path: string) => `cc_model_filenames [ { key: "7.5" value: "${path}" } ]`,
      (path: string) => `model_operations { op_library_filename: "${path}" }`,
      (path: string) => `runtime: "${path}"`,
      (path: string) =>
        `model_warmup [ { name: "w" batch_size: 1 inputs { key: "INPUT0" value { data_type: TYPE_INT32 dims: [2] input_data_file: "${path}" } } } ]`,
    ]
    for (const field of fields) {
      for (const path of paths) {
        const text = fakeConfig(field(path.replaceAll('\\', '\\\\')))
        const reads: string[] = []
        const memory = fileMapStore({
          root: 'memory',
          files: new Map([
            ['m/config.pbtxt', new TextEncoder().encode(text)],
            ['m/1/model.bin', new Uint8Array(1)],
          ]),
        })
        const broken = await createServer({
          platform: { clock: createTurnClock(), log: createMemoryLog() },
          stores: [
            {
              ...memory,
              read: (file) => {
                reads.push(file)
                return memory.read(file)
              },
            },
          ],
          backends: [createFakeBackend()],
        })
        expect(broken.startupErrors, field(path)).not.toEqual([])
        expect(reads).toEqual(['m/config.pbtxt'])
        await broken.close()
      }
    }
  })
})
