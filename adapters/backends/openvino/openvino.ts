import type { Backend, BackendModel, ModelSource } from '../../../core/backend/types.ts'
import { ServerError } from '../../../core/errors.ts'
import type { Clock } from '../../../core/platform.ts'
import { findOpenVinoLibrary } from '../../../native/openvino/find.ts'
import type { Core, OpenVino } from '../../../native/openvino/runtime.ts'
import type { InlineMode } from '../onnx-pace.ts'
import { addExtension } from './extension.ts'
import { openOpenVinoModel } from './model.ts'
import { findModelFile } from './model-file.ts'
import { settingsOf } from './settings.ts'

export interface OpenVinoBackendOptions {
  readonly clock: Clock
  /** `libopenvino_c`, or a folder to look for it in. `--backend-config=openvino,library=PATH` wins. Default: the usual places. */
  readonly library?: string | undefined
  /** Folders of installations to look into before the usual places. */
  readonly folders?: readonly string[] | undefined
  /** When runs happen on the event loop. Default `auto`: when they measure as shorter than an asynchronous call's cost. */
  readonly inline?: InlineMode | undefined
}

/** What the dynamic linker looks for where nobody found a file. */
const LINKER_NAME = 'libopenvino_c.so'

/**
 * The `openvino` backend: OpenVINO's C API through native/openvino. Runs that block go to libuv's pool, whose size
 * (`UV_THREADPOOL_SIZE`, default 4, set before the process starts) is how many can run at once.
 */
export function openVinoBackend(options: OpenVinoBackendOptions): Backend {
  let loaded: Promise<OpenVino> | null = null
  let shared: Core | null = null
  let closed = false

  async function library(source: ModelSource): Promise<OpenVino> {
    loaded ??= loadLibrary(source.settings.get('library') ?? options.library, options.folders)
    const loading = loaded
    try {
      return await loading
    } catch (error) {
      if (loaded === loading) loaded = null
      throw error
    }
  }

  return {
    name: 'openvino',
    defaultModelFilename: 'model.xml',
    defaultCpuInstances: 1,
    async load(source: ModelSource, signal?: AbortSignal): Promise<BackendModel> {
      if (closed) throw new ServerError('UNAVAILABLE', 'the openvino backend is closed')
      const file = await findModelFile(source, signal)
      const ov = await library(source)
      signal?.throwIfAborted()
      const { clock, inline = 'auto' } = options
      const { extension } = settingsOf(source.config)
      // An extension is for its model alone.
      const own = extension === undefined ? null : ov.openCore()
      try {
        if (own !== null) await addExtension(own, source, extension)
        shared ??= ov.openCore()
        const core = own ?? shared
        const onClose = (): void => own?.close()
        return await openOpenVinoModel({ ov, core, source, file, clock, inline, signal, onClose })
      } catch (error) {
        own?.close()
        throw error
      }
    },
    async close() {
      // Models close before their backend.
      closed = true
      shared?.close()
      shared = null
    },
  }
}

async function loadLibrary(
  named: string | undefined,
  folders: readonly string[] | undefined,
): Promise<OpenVino> {
  const path = findOpenVinoLibrary({ path: named, folders })
  try {
    if (path === undefined && named !== undefined) throw new Error(`there is none in '${named}'`)
    const { loadOpenVino } = await import('../../../native/openvino/runtime.ts')
    return loadOpenVino(path ?? LINKER_NAME)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new ServerError(
      'UNAVAILABLE',
      `failed to load OpenVINO from '${path ?? named ?? LINKER_NAME}': ${reason}; install it (pip install openvino, or Intel's packages) and, where it is ` +
        'in no usual place, name the library or its folder with --backend-config=openvino,library=PATH',
      { cause },
    )
  }
}
