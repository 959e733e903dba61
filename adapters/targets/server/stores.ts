import { homedir, tmpdir } from 'node:os'
import type { ServeOptions } from '../../cli/options.ts'
import type { NodePlatform } from '../../platform/node.ts'
import { type OpenStores, openStores } from '../../stores/open.ts'

/** The stores of the repositories that the command line names. */
export function openRepositories(
  roots: readonly string[],
  { repositoryCache, modelDigestFile: digestFile }: ServeOptions,
  { log }: NodePlatform,
): Promise<OpenStores> {
  return openStores({
    roots,
    cacheFolder: repositoryCache.folder,
    cacheBytes: repositoryCache.maxBytes,
    digestFile,
    home: homeFolder(),
    env: process.env,
    log,
  })
}

/** A user that only a number stands for, as in containers, has no home unless `HOME` names one. */
function homeFolder(): string {
  try {
    return homedir()
  } catch {
    return tmpdir()
  }
}
