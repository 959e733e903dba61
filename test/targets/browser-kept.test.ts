import { createHash } from 'node:crypto'
import { beforeEach, expect, test } from 'vitest'
import {
  type Keep,
  keptFiles,
  networkFirst,
  onceFetched,
} from '../../adapters/targets/browser/kept.ts'

const ROOT = 'https://models.example/repository'
const bytes = (text: string) => new TextEncoder().encode(text)
const digest = (text: string): string => createHash('sha256').update(text).digest('hex')

/** What a browser's cache does, as far as it is used. */
function memoryKeep() {
  const kept = new Map<string, Uint8Array<ArrayBuffer>>()
  const keep: Keep = {
    match: async (url) => {
      const found = kept.get(String(url))
      return found === undefined ? undefined : new Response(found)
    },
    put: async (url, answer) =>
      void kept.set(String(url), new Uint8Array(await answer.arrayBuffer())),
    delete: async (url) => kept.delete(url instanceof Request ? url.url : String(url)),
    keys: async () => [...kept.keys()].map((url) => new Request(url)),
  }
  return { kept, keep }
}

let files: Map<string, string>
let asked: string[]
let online: boolean
const get: typeof fetch = async (input) => {
  const url = String(input)
  asked.push(url.slice(ROOT.length + 1))
  if (!online) throw new TypeError('no network')
  const found = files.get(url.slice(ROOT.length + 1))
  return found === undefined ? new Response('', { status: 404 }) : new Response(found)
}
/** Publishes `models`, path → content, with a manifest that says so. */
function publish(models: Readonly<Record<string, string>>): void {
  const listed = Object.entries(models).map(([path, text]) => [
    path,
    { size: text.length, sha256: digest(text) },
  ])
  const manifest = { version: 1, files: Object.fromEntries(listed) }
  files = new Map([...Object.entries(models), ['repository.json', JSON.stringify(manifest)]])
}
async function contentOf(keep: Keep, path: string): Promise<string> {
  const repository = keptFiles(ROOT, keep, get)
  const file = (await repository.list('')).files.find((one) => one.path === path)!
  let text = ''
  for await (const chunk of await repository.open(file, 0, new AbortController().signal)) {
    text += new TextDecoder().decode(chunk)
  }
  return text
}

beforeEach(() => {
  asked = []
  online = true
})

test('a model is fetched once, and read without a network from then on', async () => {
  const { keep } = memoryKeep()
  publish({ 'm/1/model.onnx': 'weights' })
  expect(await contentOf(keep, 'm/1/model.onnx')).toBe('weights')
  expect(await contentOf(keep, 'm/1/model.onnx')).toBe('weights')
  online = false
  expect(await contentOf(keep, 'm/1/model.onnx')).toBe('weights')
  expect(asked.filter((path) => path.endsWith('.onnx'))).toEqual(['m/1/model.onnx'])
})

test('a new content is fetched, and the old one forgotten', async () => {
  const { kept, keep } = memoryKeep()
  publish({ 'm/1/model.onnx': 'old' })
  await contentOf(keep, 'm/1/model.onnx')
  publish({ 'm/1/model.onnx': 'new' })
  expect(await contentOf(keep, 'm/1/model.onnx')).toBe('new')
  expect([...kept.keys()].sort()).toEqual([
    `${ROOT}/.sha256/${digest('new')}`,
    `${ROOT}/repository.json`,
  ])
})

test('what is not the content of the manifest is not kept', async () => {
  const { kept, keep } = memoryKeep()
  publish({ 'm/1/model.onnx': 'weights' })
  files.set('m/1/model.onnx', 'strange')
  expect(await contentOf(keep, 'm/1/model.onnx')).toBe('strange')
  expect([...kept.keys()]).toEqual([`${ROOT}/repository.json`])
})

test('what was kept and is damaged is fetched again', async () => {
  const { kept, keep } = memoryKeep()
  publish({ 'm/1/model.onnx': 'weights' })
  kept.set(`${ROOT}/.sha256/${digest('weights')}`, bytes('wexghts'))
  expect(await contentOf(keep, 'm/1/model.onnx')).toBe('weights')
})

test('a full disk keeps nothing and fails nothing', async () => {
  const { keep } = memoryKeep()
  const full: Keep = { ...keep, put: () => Promise.reject(new Error('QuotaExceededError')) }
  publish({ 'm/1/model.onnx': 'weights' })
  expect(await contentOf(full, 'm/1/model.onnx')).toBe('weights')
  expect(await onceFetched(full, get, `${ROOT}/m/1/model.onnx`)).toEqual(bytes('weights'))
})

test('a page is one page, whatever its query; errors of the web server are not kept', async () => {
  const { kept, keep } = memoryKeep()
  publish({ 'index.html': 'page' })
  const first = networkFirst(keep, (input) => get(String(input).replace(/\?.*/, '')))
  await first(`${ROOT}/index.html?provider=wasm`)
  expect((await first(`${ROOT}/gone.html`)).status).toBe(404)
  online = false
  expect(await (await first(`${ROOT}/index.html?provider=webgpu`)).text()).toBe('page')
  await expect(first(`${ROOT}/gone.html`)).rejects.toThrow('no network')
  expect([...kept.keys()]).toEqual([`${ROOT}/index.html`])
})
