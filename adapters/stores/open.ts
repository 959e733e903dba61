import { ServerError } from '../../core/errors.ts'
import type { Log, ModelStore } from '../../core/platform.ts'
import { diskStore } from './disk.ts'
import type { LocalCopies, RemoteFiles } from './remote-types.ts'

export interface OpenStoresOptions {
  /** Folders, `s3://…`, `gs://…` and `https://…`. */
  readonly roots: readonly string[]
  /** Where copies of remote models are kept; '' = below `home`. */
  readonly cacheFolder: string
  /** Bytes of those copies; 0 = what the disk has. */
  readonly cacheBytes: number
  /** This user's own folder. */
  readonly home: string
  /** `--model-digest-file`; '' = files are served as they are. */
  readonly digestFile?: string
  /** What names regions, endpoints, credentials and folders. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly log: Log
}

export interface OpenStores {
  /** In the order of the roots. */
  readonly stores: readonly ModelStore[]
  /**
   * What a store of model files that come by another way is served through; the stores here are already. `folder` is what
   * its paths have before those that a list of digests has.
   */
  readonly guard: (store: ModelStore, folder?: string) => ModelStore
  /** Lets go of connections and of copies. Idempotent. */
  close(): Promise<void>
}

/**
 * The stores of repositories, by the scheme of each root. What is needed for remote ones alone is loaded when there is one.
 * Throws INVALID_ARG for a root that cannot be one, and for a digest file that cannot be used; whether a remote
 * repository is there shows when it is read.
 */
export async function openStores(options: OpenStoresOptions): Promise<OpenStores> {
  const open: RemoteFiles[] = []
  const stores: ModelStore[] = []
  let copies: LocalCopies | undefined
  const { guard, close } = await openGuard(options)
  for (const root of options.roots) {
    const scheme = /^([a-z0-9]+):\/\//.exec(root)?.[1]
    if (scheme === undefined) {
      stores.push(diskStore({ root }))
      continue
    }
    const { remoteStore } = await import('./remote.ts')
    const { modelCache } = await import('./cache.ts')
    const { keptFiles } = await import('./kept-files.ts')
    const { cacheBytes: maxBytes, log } = options
    const folder = cacheFolder(options)
    const files = keptFiles({ files: await remoteFiles(scheme, root, options), folder, log })
    open.push(files)
    copies ??= modelCache({ folder, maxBytes, log })
    stores.push(remoteStore({ files, local: copies }))
  }
  return {
    stores: stores.map((store) => guard(store)),
    guard,
    close: async () => {
      for (const files of open) files.close()
      await close()
    },
  }
}

async function openGuard(options: OpenStoresOptions): Promise<Pick<OpenStores, 'guard' | 'close'>> {
  const { digestFile: file = '' } = options
  if (file === '') return { guard: (store) => store, close: async () => undefined }
  const { digestFile } = await import('./digest-file.ts')
  const { copyFolders } = await import('./copy-folders.ts')
  const { verifiedStore } = await import('./verified.ts')
  const digests = await digestFile(file)
  const folders = copyFolders(`${cacheFolder(options)}/verified`)
  return {
    guard: (store, folder) => verifiedStore({ store, digests, folder, folders }),
    close: () => folders.close(),
  }
}

async function remoteFiles(
  scheme: string,
  root: string,
  { env, log }: OpenStoresOptions,
): Promise<RemoteFiles> {
  switch (scheme) {
    case 's3': {
      const { s3Files } = await import('./s3.ts')
      return s3Files({ root, env, log })
    }
    case 'gs': {
      const { gcsFiles } = await import('./gcs.ts')
      return gcsFiles({ root, env, log })
    }
    case 'http':
    case 'https': {
      const { manifestFiles } = await import('./manifest.ts')
      return manifestFiles({ root })
    }
    default:
      throw new ServerError(
        'UNSUPPORTED',
        `model repository '${root}' has a scheme that this server does not know, it knows: s3, gs, https, http`,
      )
  }
}

function cacheFolder({ cacheFolder: named, env, home }: OpenStoresOptions): string {
  if (named !== '') return named
  // Where Triton puts its copies.
  const triton = env['TRITON_AWS_MOUNT_DIRECTORY'] ?? ''
  if (triton !== '') return `${triton}/nereid`
  return `${env['XDG_CACHE_HOME'] || `${home}/.cache`}/nereid/models`
}
