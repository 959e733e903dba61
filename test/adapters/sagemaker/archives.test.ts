import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { ArchiveStore } from '../../../adapters/sagemaker/archive-store.ts'
import { diskStore } from '../../../adapters/stores/disk.ts'
import { memoryStore } from '../../../adapters/stores/memory.ts'
import { ECHO_CONFIG } from '../../helpers/serve.ts'
import { type ServingHosts, serveHosts } from '../../helpers/serve-hosts.ts'

const ENSEMBLE = (step: string): string => `
name: "pipeline"
platform: "ensemble"
max_batch_size: 8
input [ { name: "A" data_type: TYPE_FP32 dims: [ -1 ] } ]
output [ { name: "B" data_type: TYPE_FP32 dims: [ -1 ] } ]
ensemble_scheduling { step [ {
  model_name: "${step}" model_version: -1
  input_map { key: "INPUT0" value: "A" } output_map { key: "OUTPUT0" value: "B" }
} ] }`
const pipeline = {
  'pipeline/config.pbtxt': ENSEMBLE('part'),
  'pipeline/1/.keep': '',
  'part/config.pbtxt': `name: "part"\n${ECHO_CONFIG}`,
  'part/1/model.fake': '.',
}

let hosts: ServingHosts | undefined
const folders: string[] = []
afterEach(async () => {
  await hosts?.close()
  hosts = undefined
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

const model = (hash: string, folder = 'model') => ({
  hash,
  name: hash,
  url: `/opt/ml/models/${hash}/${folder}`,
})
const serving = (server: ServingHosts['server']): string[] =>
  [...server.models()].map(({ name }) => name).sort()

test('archives may call the parts of their ensembles alike, and take them along when they go', async () => {
  hosts = await serveHosts({ archives: { a: pipeline, b: pipeline } })
  const { models, server } = hosts
  await Promise.all([models.load(model('a')), models.load(model('b'))])
  expect(serving(server)).toEqual(['a', 'a::part', 'b', 'b::part', 'echo'])
  expect(await models.unload('a')).toBe(true)
  expect(serving(server)).toEqual(['b', 'b::part', 'echo'])
  await models.load(model('a'))
  expect(server.modelConfig('a', '').ensemble_scheduling?.step?.[0]?.model_name).toBe('a::part')
})

test('an ensemble of ensembles answers by its outermost one', async () => {
  const nested = {
    ...pipeline,
    'outer/config.pbtxt': ENSEMBLE('pipeline').replaceAll('INPUT0', 'A').replaceAll('OUTPUT0', 'B'),
    'outer/1/.keep': '',
  }
  hosts = await serveHosts({ archives: { a: nested } })
  await hosts.models.load(model('a'))
  expect(serving(hosts.server)).toEqual(['a', 'a::part', 'a::pipeline', 'echo'])
})

test('names that went for good are not remembered, also not those of loads that failed', async () => {
  const broken = { ...pipeline, 'part/config.pbtxt': 'bogus: 1' }
  hosts = await serveHosts({ archives: { a: pipeline, broken } })
  const { models, server } = hosts
  for (let round = 0; round < 3; round += 1) {
    await models.load(model('a'))
    await models.unload('a')
    await expect(models.load(model('broken'))).rejects.toThrow()
  }
  expect(server.startupReport().map(({ name }) => name)).toEqual(['echo'])
  await models.load(model('a'))
  await server.forget?.('a')
  expect(serving(server)).toEqual(['a', 'a::part', 'echo'])
})

test('the folder may be the model itself, or one below it', async () => {
  const flat = { 'config.pbtxt': `name: "whatever"\n${ECHO_CONFIG}`, '1/model.fake': '.' }
  const deep = Object.fromEntries(Object.entries(flat).map(([path, text]) => [`sub/${path}`, text]))
  hosts = await serveHosts({ archives: { flat, deep } })
  await hosts.models.load(model('flat'))
  await hosts.models.load(model('deep', 'model/sub'))
  expect(serving(hosts.server)).toEqual(['deep', 'echo', 'flat'])
})

test('models that no ensemble holds together, and archives without any, are refused', async () => {
  const loose = { 'x/config.pbtxt': ECHO_CONFIG, 'y/config.pbtxt': ECHO_CONFIG }
  hosts = await serveHosts({ archives: { loose, empty: {} } })
  await expect(hosts.models.load(model('loose'))).rejects.toThrow(/holds 2 models, expected one/)
  await expect(hosts.models.load(model('empty'))).rejects.toThrow(
    "failed to register '/opt/ml/models/empty/model', repository not found",
  )
})

test('a config that cannot be read fails the load, in Triton’s words', async () => {
  hosts = await serveHosts({ archives: { bad: { 'm/config.pbtxt': 'bogus: 1', 'm/1/x': '' } } })
  await expect(hosts.models.load(model('bad'))).rejects.toThrow(
    "failed to load 'bad', failed to poll from model repository",
  )
})

test('links that lead out of an archive are not followed, whatever they lead to', async () => {
  const root = mkdtempSync(join(tmpdir(), 'nereid-archive-'))
  folders.push(root)
  const other = join(root, 'other/model/secret')
  mkdirSync(join(other, '1'), { recursive: true })
  writeFileSync(join(other, 'config.pbtxt'), ECHO_CONFIG)
  mkdirSync(join(root, 'mine/model/m/1'), { recursive: true })
  symlinkSync(
    '../../../../other/model/secret/config.pbtxt',
    join(root, 'mine/model/m/1/model.fake'),
  )
  symlinkSync('../../other/model/secret', join(root, 'mine/model/linked'))
  const store = new ArchiveStore(root)
  const open = (folder: string) => ({ store: diskStore({ root: join(root, 'mine') }), folder })
  await expect(store.mount('x', open('model/linked'))).rejects.toThrow(/leads out of/)
  await store.mount('m', open('model/m')).catch(() => undefined)
  await expect(store.read('m/1/model.fake')).rejects.toThrow(/leads out of|no file/)
})

test('what is not mounted is not there, and a name is given once', async () => {
  const store = new ArchiveStore('/models')
  const files = new Map([['model/m/config.pbtxt', new TextEncoder().encode(ECHO_CONFIG)]])
  const archive = { store: memoryStore({ files }), folder: 'model' }
  await store.mount('a', archive)
  expect(await store.list('')).toEqual([{ path: 'a', kind: 'directory' }])
  expect(await store.list('a')).toEqual([{ path: 'a/config.pbtxt', kind: 'file' }])
  await expect(store.mount('a', archive)).rejects.toThrow(/conflicting mapping for 'a'/)
  await expect(store.mount('a/b', archive)).rejects.toThrow(/path traversal/)
  store.unmount('a')
  store.unmount('a')
  expect(await store.stat('a/config.pbtxt')).toBeUndefined()
  await expect(store.read('a/config.pbtxt')).rejects.toThrow(/no file/)
  expect((await store.stat(''))?.kind).toBe('directory')
})
