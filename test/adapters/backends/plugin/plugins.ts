import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pluginFinder } from '../../../../adapters/backends/plugin/finder.ts'
import { nodeClock } from '../../../../adapters/platform/clock.ts'
import { diskStore } from '../../../../adapters/stores/disk.ts'
import type { Backend, BackendModel, Instance } from '../../../../core/backend/types.ts'
import { createServer, type Server } from '../../../../core/server.ts'
import { testLog } from '../../../helpers/test-log.ts'

/** A plug-in that answers X as Y, in one file, and says when it is opened and closed. */
export const ECHO = `
export function backend({ name, clock, log }) {
  log.info('opened ' + name)
  return {
    name,
    defaultModelFilename: '',
    async load(source) {
      return {
        io: {
          inputs: [{ name: 'X', datatype: 'FP32', shape: [-1, -1] }],
          outputs: [{ name: 'Y', datatype: 'FP32', shape: [-1, -1] }],
        },
        async instance() {
          return {
            execute(batch, marks, done) {
              marks.inputEndNs = marks.outputStartNs = clock.now()
              const inputs = batch.requests.map((request) => request.inputs[0])
              const data = new Uint8Array(Buffer.concat(inputs.map((input) => input.data)))
              done({ outputs: [{ name: 'Y', datatype: 'FP32', shape: [batch.size, ...inputs[0].shape.slice(1)], data }] })
            },
            async close() { log.info('closed an instance of ' + source.name) },
          }
        },
        async close() { log.info('closed model ' + source.name) },
      }
    },
    async close() { log.info('closed ' + name) },
  }
}
`

/** Files below a new folder, which is removed by `remove`. */
export async function folderWith(files: Readonly<Record<string, string>>) {
  const folder = await mkdtemp(join(tmpdir(), 'nereid-plugins-'))
  await write(folder, files)
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) }
}

export async function write(folder: string, files: Readonly<Record<string, string>>) {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), content)
  }
}

/** A server of the repository `models` in `folder`, with `backends` beside it. */
export async function servePlugins(
  folder: string,
  mode: 'none' | 'explicit' = 'none',
): Promise<{ server: Server; lines: string[] }> {
  const { log, lines } = testLog()
  const clock = nodeClock()
  const server = await createServer({
    platform: { clock, log },
    stores: [diskStore({ root: join(folder, 'models') })],
    backends: [],
    finder: pluginFinder({
      clock,
      log,
      directory: join(folder, 'backends'),
      workingFolder: folder,
    }),
    options: { modelControlMode: mode, loadModels: mode === 'explicit' ? ['*'] : [] },
  })
  return { server, lines }
}

/** A backend whose one instance is `parts`. */
export function backendOf(
  parts: Partial<Instance> | object,
  model: Partial<BackendModel> = {},
): Backend {
  const instance = { execute() {}, close: () => Promise.resolve(), ...parts } as Instance
  return {
    name: 'odd',
    defaultModelFilename: '',
    load: async () => ({
      instance: async () => instance,
      close: () => Promise.resolve(),
      ...model,
    }),
  }
}
