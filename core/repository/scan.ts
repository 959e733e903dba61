import { messageOf, ServerError } from '../errors.ts'
import type { ModelStore } from '../platform.ts'
import { createGate } from './gate.ts'
import type { PlanOptions } from './plan.ts'
import { listModels, type ModelFiles, scanModel } from './snapshot.ts'

/** Why a model that lies in several repositories is not served (Triton's text). */
export const DUPLICATE_REASON = 'model appears in two or more repositories'

/** Folders of one repository that are scanned at the same time. */
const PARALLEL_FOLDERS = 16

/** What all repositories hold. */
export interface RepositoryScan {
  readonly models: ReadonlyMap<string, ModelFiles>
  /** Folders that cannot be served, and why. */
  readonly broken: ReadonlyMap<string, string>
  /** Repositories that could not be read, one line each. */
  readonly problems: readonly string[]
  /** Whose models nothing is known about, because it could not be read. */
  readonly unread: ReadonlySet<ModelStore>
}

/** Scans every repository. Never throws: what is wrong is in the result and in the log. */
export async function scanRepositories(options: PlanOptions): Promise<RepositoryScan> {
  const models = new Map<string, ModelFiles>()
  const broken = new Map<string, string>()
  const problems: string[] = []
  const unread = new Set<ModelStore>()
  const gate = createGate(PARALLEL_FOLDERS)
  for (const store of options.stores) {
    try {
      const view = (await store.pin?.('', options.signal)) ?? store
      if ((await view.stat('', options.signal))?.kind !== 'directory') {
        throw new ServerError('INVALID_ARG', 'repository path is not a valid directory')
      }
      const names = await listModels(view, options.log, options.signal)
      await Promise.all(
        names.map((name) =>
          gate.run(async () => {
            const files = await scanModel(view, name, options).catch((error: unknown) => {
              options.log.error(`Poll failed for model directory '${name}': ${messageOf(error)}`)
              broken.set(name, messageOf(error))
              return undefined
            })
            if (files === undefined) return
            if (models.has(name)) broken.set(name, DUPLICATE_REASON)
            else models.set(name, { ...files, store })
          }),
        ),
      )
    } catch (error) {
      const line = `failed to poll model repository '${store.root}': ${messageOf(error)}`
      options.log.error(line)
      problems.push(line)
      unread.add(store)
    }
  }
  for (const [name, reason] of broken) {
    models.delete(name)
    if (reason === DUPLICATE_REASON) {
      options.log.error(`failed to poll model '${name}': not unique across all model repositories`)
    }
  }
  return { models, broken, problems, unread }
}

/**
 * `scan` as the successor of `before`: what could not be read this time is taken as unchanged, so that a disk or a network
 * that fails for a while takes no model down.
 */
export function afterFaults(
  scan: RepositoryScan,
  before: ReadonlyMap<string, ModelFiles>,
): ReadonlyMap<string, ModelFiles> {
  const models = new Map(scan.models)
  for (const [name, files] of before) {
    const reason = scan.broken.get(name)
    const unreadable = reason !== undefined && reason !== DUPLICATE_REASON
    if (unreadable || (scan.unread.has(files.store) && !models.has(name))) models.set(name, files)
  }
  return models
}
