import { homedir } from 'node:os'
import type { ServeOptions } from '../../cli/options.ts'
import type { NodePlatform } from '../../platform/node.ts'
import { type OpenStores, openStores } from '../../stores/open.ts'

/** The stores of the repositories that the command line names. */
export function openRepositories(
  roots: readonly string[],
  { repositoryCache }: ServeOptions,
  { log }: NodePlatform,
): Promise<OpenStores> {
  return openStores({
    roots,
    cacheFolder: repositoryCache.folder,
    cacheBytes: repositoryCache.maxBytes,
    home: homedir(),
    env: process.env,
    log,
  })
}
