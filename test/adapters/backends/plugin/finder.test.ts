import { afterEach, expect, test } from 'vitest'
import { InferRequest } from '../../../../core/infer.ts'
import type { Server } from '../../../../core/server.ts'
import { ECHO, folderWith, servePlugins, write } from './plugins.ts'

const undo: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const one of undo.splice(0).reverse()) await one()
})

async function folder(files: Readonly<Record<string, string>>): Promise<string> {
  const made = await folderWith(files)
  undo.push(made.remove)
  return made.folder
}

async function serve(path: string, mode: 'none' | 'explicit' = 'none') {
  const served = await servePlugins(path, mode)
  undo.push(() => served.server.close())
  return served
}

function infer(server: Server, model: string): Promise<unknown> {
  return new Promise((resolve) => {
    const data = new Uint8Array(new Float32Array([1, 2]).buffer)
    const inputs = [{ name: 'X', datatype: 'FP32' as const, shape: [1, 2], data }]
    const request = new InferRequest({ inputs }, { answer: (_request, answer) => resolve(answer) })
    const served = server.model(model, '')
    served.check(request)
    served.submit(request)
  })
}

const CONFIG = 'backend: "echo"'
const said = (text: string): string => ECHO.replace("'opened '", `'${text} '`)
const VERSION = 'models/m/1/nereid-backend-echo.mjs'
const MODEL = 'models/m/nereid-backend-echo.mjs'
const DIRECTORY = 'backends/echo/index.mjs'
const PACKAGE = 'node_modules/nereid-backend-echo/main.mjs'
const MANIFEST = {
  'node_modules/nereid-backend-echo/package.json': JSON.stringify({
    exports: { '.': { types: './main.d.ts', import: './main.mjs' } },
  }),
}

test.each([
  ["the version's folder", [VERSION, MODEL, DIRECTORY, PACKAGE], VERSION],
  ["the model's folder", [MODEL, DIRECTORY, PACKAGE], MODEL],
  ['--backend-directory', [DIRECTORY, PACKAGE], DIRECTORY],
  ['the installed packages', [PACKAGE], PACKAGE],
])('a backend is taken from %s first', async (_place, files, expected) => {
  const code = Object.fromEntries(files.map((file) => [file, said(file)]))
  const path = await folder({
    'models/m/config.pbtxt': CONFIG,
    'models/m/1/x': '',
    ...MANIFEST,
    ...code,
  })
  const { server, lines } = await serve(path)
  expect(server.startupErrors).toEqual([])
  expect(lines).toContain(`info: ${expected} echo`)
  expect(await infer(server, 'm')).toMatchObject({ outputs: [{ name: 'Y', shape: [1, 2] }] })
})

test('a backend that is nowhere is an error that says where it was looked for', async () => {
  const path = await folder({ 'models/m/config.pbtxt': CONFIG, 'models/m/1/x': '' })
  const { server } = await serve(path)
  const [error = ''] = server.startupErrors
  for (const place of [
    '/models/m/1/nereid-backend-echo.mjs',
    '/models/m/nereid-backend-echo.mjs',
    '/backends/echo',
    'package nereid-backend-echo',
  ]) {
    expect(error).toContain(place)
  }
})

test.each(['../evil', 'a/b', '%2e%2e', '.hidden', ''])(
  'a backend called %j is looked for nowhere',
  async (name) => {
    const path = await folder({
      'models/m/config.pbtxt': `backend: "${name}" default_model_filename: "x"`,
      'models/m/1/x': '',
      'evil/index.mjs': ECHO,
    })
    const { server, lines } = await serve(path)
    expect(server.startupErrors).toHaveLength(1)
    expect(lines.join('\n')).not.toContain('opened')
  },
)

test.each([
  ['export const nothing = 1', /exports no function 'backend'/],
  ['export function backend() { throw new Error("no licence") }', /no licence/],
  ['export function backend() { return 3 }', /its factory gave no backend/],
  ['this is no JavaScript', /cannot be imported/],
  ['export default () => ({ load: async () => null })', /gave no model/],
  [
    'export default () => ({ load: async () => { throw { code: "NOT_FOUND", message: "no vocabulary" } } })',
    /no vocabulary/,
  ],
  [
    'export default () => ({ load: async () => ({ io: { inputs: 3 }, instance() {}, close() {} }) })',
    /no arrays/,
  ],
])('a plug-in that is %j fails the load and says why', async (code, expected) => {
  const path = await folder({
    'models/m/config.pbtxt': CONFIG,
    'models/m/1/x': '',
    'backends/echo/index.mjs': code,
  })
  const { server } = await serve(path)
  expect(server.startupErrors[0]).toMatch(expected)
  expect(server.live()).toBe(true)
})

test('models share the backend, which closes after the last of them and is made anew for the next', async () => {
  const path = await folder({
    'models/a/config.pbtxt': CONFIG,
    'models/a/1/x': '',
    'models/b/config.pbtxt': CONFIG,
    'models/b/1/x': '',
    'backends/echo/index.mjs': ECHO,
  })
  const { server, lines } = await serve(path, 'explicit')
  const count = (line: string): number => lines.filter((one) => one === `info: ${line}`).length
  expect(server.startupErrors).toEqual([])
  expect(count('opened echo')).toBe(1)
  await server.unload('a', false)
  expect(count('closed model a')).toBe(1)
  expect(count('closed echo')).toBe(0)
  await server.unload('b', false)
  expect(count('closed echo')).toBe(1)
  await server.load('a', {})
  expect(count('opened echo')).toBe(2)
  expect(await infer(server, 'a')).toMatchObject({ outputs: [{ name: 'Y' }] })
})

test('a plug-in that changed is read anew by the next load', async () => {
  const path = await folder({
    'models/m/config.pbtxt': CONFIG,
    'models/m/1/nereid-backend-echo.mjs': said('first'),
  })
  const { server, lines } = await serve(path, 'explicit')
  expect(lines).toContain('info: first echo')
  await write(path, { 'models/m/1/nereid-backend-echo.mjs': said('second one') })
  await server.load('m', {})
  expect(lines).toContain('info: second one echo')
})

test('code that comes with a load request is not run', async () => {
  const path = await folder({ 'models/m/config.pbtxt': CONFIG, 'models/m/1/x': '' })
  const { server, lines } = await serve(path, 'explicit')
  const files = new Map([['1/nereid-backend-echo.mjs', new TextEncoder().encode(ECHO)]])
  const config = '{"backend":"echo"}'
  await expect(server.load('m', { files, config })).rejects.toThrow(
    'unable to find backend library',
  )
  expect(lines.join('\n')).not.toContain('opened')
})

test('models that come and go under load answer every request, and leave nothing open', async () => {
  const path = await folder({
    'models/m/config.pbtxt': CONFIG,
    'models/m/1/x': '',
    'backends/echo/index.mjs': ECHO,
  })
  const { server, lines } = await serve(path, 'explicit')
  let going = true
  let answered = 0
  const ask = async (): Promise<void> => {
    while (going) {
      const answer = await infer(server, 'm').catch((error: unknown) => error)
      if (answer instanceof Error)
        expect(answer.message).toMatch(/not (ready|found|available)|unknown model/)
      else answered++
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  const asking = Promise.all([ask(), ask(), ask(), ask()])
  for (let round = 0; round < 30; round++) {
    await server.unload('m', false)
    await server.load('m', {})
    // A load in place: the old model goes when the new one serves.
    await write(path, { 'models/m/1/x': String(round) })
    await server.load('m', {})
  }
  going = false
  await asking
  await server.unload('m', false)
  const count = (line: string): number => lines.filter((one) => one === `info: ${line}`).length
  expect(answered).toBeGreaterThan(0)
  await expect.poll(() => count('closed model m')).toBe(61)
  await expect.poll(() => count('closed echo')).toBe(count('opened echo'))
  expect(lines.filter((line) => line.startsWith('error'))).toEqual([])
})
