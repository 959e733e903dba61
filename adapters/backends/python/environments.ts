import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { access, mkdtemp, realpath, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, isAbsolute, join, resolve, sep } from 'node:path'
import type { ModelSource } from '../../../core/backend/types.ts'
import { messageOf, ServerError } from '../../../core/errors.ts'
import { safeJoin } from '../../../core/paths.ts'
import { unpack } from './unpack.ts'

const PARAMETER = 'EXECUTION_ENV_PATH'
const MODEL_FOLDER = '$$TRITON_MODEL_DIRECTORY'
/** Where environments outside of model folders may lie. */
const FOLDERS_FLAG = 'environment-folders'

/** A Python of its own, for the instances of a model. */
export interface Environment {
  readonly python: string
  readonly folder: string
  /** Removes what was unpacked for it, once nobody uses it. Idempotent. */
  close(): Promise<void>
}

interface Unpacked {
  readonly folder: Promise<string>
  users: number
}

/** Execution environments of models: folders as they are, archives unpacked once for all models that have the same. */
export class Environments {
  /** By digest. */
  readonly #unpacked: Map<string, Unpacked> = new Map()

  /** null where the model has none. Throws with the reason why it cannot be used. */
  async open(source: ModelSource): Promise<Environment | null> {
    const value = source.config.parameters?.[PARAMETER]?.string_value
    if (value === undefined || value === '') return null
    try {
      const path = await locate(source, value)
      const info = await stat(path)
      if (info.isDirectory()) {
        return { python: await pythonIn(path), folder: path, close: () => Promise.resolve() }
      }
      return await this.#archive(path)
    } catch (error) {
      throw refuse(source.name, value, messageOf(error))
    }
  }

  async #archive(path: string): Promise<Environment> {
    const digest = await digestOf(path)
    let unpacked = this.#unpacked.get(digest)
    if (unpacked === undefined) {
      unpacked = { folder: unpackAside(path), users: 0 }
      this.#unpacked.set(digest, unpacked)
    }
    const shared = unpacked
    shared.users++
    let open = true
    const close = async (): Promise<void> => {
      if (!open) return
      open = false
      if (--shared.users > 0) return
      if (this.#unpacked.get(digest) === shared) this.#unpacked.delete(digest)
      const folder = await shared.folder.catch(() => null)
      if (folder !== null) await rm(folder, { recursive: true, force: true })
    }
    try {
      const folder = await shared.folder
      return { python: await pythonIn(folder), folder, close }
    } catch (error) {
      await close()
      throw error
    }
  }
}

async function unpackAside(path: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'nereid-environment-'))
  try {
    await unpack(path, folder)
    return folder
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

/** A config can come with a load request: it names nothing but what lies with its model or where the command line says. */
async function locate(source: ModelSource, value: string): Promise<string> {
  const { store, modelPath, settings } = source
  if (value.startsWith(MODEL_FOLDER)) {
    if (store.localPath === undefined) throw new Error('its repository is not on the disk')
    const below = value.slice(MODEL_FOLDER.length).replace(/^\/+/, '')
    return store.localPath(safeJoin(modelPath, below))
  }
  const allowed = (settings.get(FOLDERS_FLAG) ?? '').split(delimiter).filter(isAbsolute)
  const path = await realpath(resolve('/', value)).catch(() => '')
  for (const folder of allowed) {
    const root = await realpath(folder).catch(() => null)
    if (root !== null && path.startsWith(root + sep)) return path
  }
  throw new Error(
    `it has to begin with ${MODEL_FOLDER}, or to lie in a folder named by --backend-config=python,${FOLDERS_FLAG}`,
  )
}

async function pythonIn(folder: string): Promise<string> {
  for (const name of ['python', 'python3']) {
    const path = join(folder, 'bin', name)
    if (
      await access(path).then(
        () => true,
        () => false,
      )
    )
      return path
  }
  throw new Error('it has no bin/python')
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const part of createReadStream(path)) hash.update(part as Buffer)
  return hash.digest('hex')
}

function refuse(model: string, value: string, reason: string): ServerError {
  return new ServerError(
    'INVALID_ARG',
    `model '${model}': ${PARAMETER} '${value.slice(0, 200)}' cannot be used: ${reason}`,
  )
}
