import { parseConfig } from '../../core/config/pbtxt-parser.ts'
import { printConfig } from '../../core/config/pbtxt-printer.ts'
import { ServerError } from '../../core/errors.ts'
import { safeName } from '../../core/paths.ts'
import type { ModelStore, StoreEntry, StoreStat } from '../../core/platform.ts'
import { archiveModels } from './archive-models.ts'
import type { Archive } from './types.ts'

/** A model's folder in the archive it came in. */
interface Mount {
  readonly archive: Archive
  readonly folder: string
  /** What this archive's models are called here, by their names in the archive. */
  readonly names: ReadonlyMap<string, string>
}

/**
 * A model repository made of archives that come and go while the server runs. A model goes by the name it was mounted
 * under; those an ensemble is made of get that name before theirs, so that two archives may call their parts alike.
 */
export class ArchiveStore implements ModelStore {
  readonly root: string
  readonly #mounts = new Map<string, Mount>()
  readonly #encoder = new TextEncoder()

  constructor(root: string) {
    this.root = root
  }

  /** Throws ALREADY_EXISTS when a model has that name, INVALID_ARG when the archive holds no model that can be told. */
  async mount(name: string, archive: Archive): Promise<void> {
    safeName(name, 'model name')
    const { main, parts } = await archiveModels(archive)
    const names = new Map([...parts.keys()].map((part) => [part, `${name}::${part}`]))
    const mounts = new Map<string, Mount>([[name, { archive, folder: main, names }]])
    for (const [part, folder] of parts) {
      mounts.set(safeName(`${name}::${part}`, 'model name'), { archive, folder, names })
    }
    for (const mounted of mounts.keys()) {
      if (!this.#mounts.has(mounted)) continue
      throw new ServerError(
        'ALREADY_EXISTS',
        `failed to register '${name}', there is a conflicting mapping for '${mounted}'`,
      )
    }
    for (const [mounted, mount] of mounts) this.#mounts.set(mounted, mount)
  }

  /** Forgets a model and what it is made of; returns their names. */
  unmount(name: string): readonly string[] {
    const names = [name, ...(this.#mounts.get(name)?.names.values() ?? [])]
    for (const mounted of names) this.#mounts.delete(mounted)
    return names
  }

  async list(path: string, signal?: AbortSignal): Promise<readonly StoreEntry[]> {
    if (path === '') {
      return [...this.#mounts.keys()].map((name) => ({ path: name, kind: 'directory' as const }))
    }
    const found = this.#find(path)
    if (found === undefined) return []
    const { mount, name, inside } = found
    const entries = await mount.archive.store.list(inside, signal)
    return entries.map((one) => ({ ...one, path: name + one.path.slice(mount.folder.length) }))
  }

  async read(path: string, signal?: AbortSignal): Promise<Uint8Array> {
    const { mount, name, inside, file } = this.#need(path)
    const bytes = await mount.archive.store.read(inside, signal)
    return isConfig(file) ? this.#renamed(bytes, name, mount.names) : bytes
  }

  async stat(path: string, signal?: AbortSignal): Promise<StoreStat | undefined> {
    if (path === '') return { kind: 'directory' as const, size: 0, tag: '' }
    const found = this.#find(path)
    return found?.mount.archive.store.stat(found.inside, signal)
  }

  async localPath(path: string, signal?: AbortSignal): Promise<string> {
    const { mount, inside } = this.#need(path)
    const { store } = mount.archive
    if (store.localPath === undefined) {
      throw new ServerError('UNSUPPORTED', `'${path}' is not on this machine's disk`)
    }
    return store.localPath(inside, signal)
  }

  async localise(path: string, signal?: AbortSignal): Promise<() => void> {
    const { mount, inside } = this.#need(path)
    return (await mount.archive.store.localise?.(inside, signal)) ?? (() => undefined)
  }

  #find(path: string) {
    const slash = path.indexOf('/')
    const name = slash < 0 ? path : path.slice(0, slash)
    const mount = this.#mounts.get(name)
    if (mount === undefined) return undefined
    const below = path.slice(name.length)
    return { mount, name, inside: mount.folder + below, file: below.slice(1) }
  }

  #need(path: string) {
    const found = this.#find(path)
    if (found !== undefined) return found
    throw new ServerError('NOT_FOUND', `no file '${path}' in '${this.root}'`)
  }

  /** A config with the names that its models have here; one that cannot be read is left for the load to complain of. */
  #renamed(bytes: Uint8Array, name: string, names: ReadonlyMap<string, string>): Uint8Array {
    try {
      const { name: given, ...config } = parseConfig(new TextDecoder().decode(bytes), {
        file: name,
      })
      const { step, ...scheduling } = config.ensemble_scheduling ?? {}
      if (step === undefined) {
        return given === undefined ? bytes : this.#encoder.encode(printConfig(config))
      }
      const steps = step.map((one) => ({
        ...one,
        model_name: names.get(one.model_name ?? '') ?? one.model_name ?? '',
      }))
      const ensemble = { ...config, ensemble_scheduling: { ...scheduling, step: steps } }
      return this.#encoder.encode(printConfig(ensemble))
    } catch {
      return bytes
    }
  }
}

function isConfig(file: string): boolean {
  return file === 'config.pbtxt' || /^configs\/[^/]+\.pbtxt$/.test(file)
}
