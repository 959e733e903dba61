import type { BackendFinder } from '../../../core/backend/finder.ts'
import type { Backend } from '../../../core/backend/types.ts'
import { messageOf, ServerError } from '../../../core/errors.ts'
import type { Clock, Log } from '../../../core/platform.ts'
import { Plugin } from './plugin.ts'
import { type PluginFile, type SearchOptions, searchPlugin } from './search.ts'
import type { PluginFactory } from './types.ts'

export interface PluginFinderOptions extends SearchOptions {
  readonly clock: Clock
  readonly log: Log
  /** Opens a backend that is written in Python: `model.py` in its folder. Absent = there are no such. */
  readonly python?: (name: string, modelFile: string) => Promise<Backend>
}

/**
 * Finds plug-ins where Triton looks for backend libraries, and as packages. A plug-in is read when the first model names it;
 * models that find the same file share one backend.
 */
export function pluginFinder(options: PluginFinderOptions): BackendFinder {
  const { clock, log } = options
  /** By file and name. */
  const plugins = new Map<string, Promise<Plugin>>()

  /** Backends that are written in Python, by file and name. */
  const pythons = new Map<string, Promise<Backend>>()

  async function openPython(name: string, file: PluginFile, key: string): Promise<Backend> {
    if (options.python === undefined) {
      throw new ServerError('UNSUPPORTED', `backend '${name}' is written in Python: ${file.path}`)
    }
    log.info(`backend '${name}' is written in Python: ${file.path}`)
    let backend = pythons.get(key)
    if (backend === undefined) {
      backend = options.python(name, file.path)
      pythons.set(key, backend)
    }
    return backend
  }

  async function open(name: string, file: PluginFile, key: string): Promise<Plugin> {
    const factory = await importFactory(name, file)
    log.info(`backend '${name}' is a plug-in: ${file.path}`)
    return new Plugin(factory, { name, clock, log, onIdle: () => plugins.delete(key) })
  }

  return {
    async find(query) {
      const { backend: name } = query
      const { file, looked } = await searchPlugin(query, options)
      if (file === undefined) return { looked }
      const key = `${name} ${file.url}`
      if (file.path.endsWith('.py')) return { backend: await openPython(name, file, key), looked }
      let plugin = plugins.get(key)
      if (plugin === undefined) {
        plugin = open(name, file, key)
        plugins.set(key, plugin)
      }
      try {
        return { backend: await (await plugin).lend(), looked }
      } catch (error) {
        plugins.delete(key)
        throw error
      }
    },
    async locate(query) {
      const { file, looked } = await searchPlugin(query, options)
      return file === undefined ? { looked } : { path: file.path, looked }
    },
    async close() {
      const open = [...plugins.values()]
      const written = [...pythons.values()]
      plugins.clear()
      pythons.clear()
      await Promise.all(written.map(async (one) => (await one.catch(() => undefined))?.close?.()))
      await Promise.all(open.map(async (one) => (await one.catch(() => undefined))?.close()))
    },
  }
}

async function importFactory(name: string, { path, url }: PluginFile): Promise<PluginFactory> {
  const refuse = (problem: string, cause?: unknown): ServerError =>
    new ServerError('INVALID_ARG', `backend '${name}': plug-in ${path} ${problem}`, { cause })
  const module = await import(url).catch((error: unknown) => {
    throw refuse(`cannot be imported: ${messageOf(error)}`, error)
  })
  const { backend, default: whole } = module as Record<string, unknown>
  // A CommonJS module is its own default.
  const inner = (whole as Record<string, unknown> | undefined)?.['backend']
  const factory = [backend, whole, inner].find((one) => typeof one === 'function')
  if (factory === undefined) {
    throw refuse("exports no function 'backend', and none as its default")
  }
  return factory as PluginFactory
}
