import { statSync } from 'node:fs'
import { join } from 'node:path'

/** The folder inside the package that is served when no repository is named. */
export const SAMPLE_REPOSITORY = 'models'

/** Whether one of these is there shows when it is read: a server can come up before its network does. */
const REMOTE = /^[a-z0-9]+:\/\//

export interface Repositories {
  readonly paths: readonly string[]
  /** True when the user named none. */
  readonly sample: boolean
  /** Why the server cannot start, in Triton's words; '' = it can. */
  readonly problem: string
}

/** The repositories to serve: those named, else the package's own models. */
export function chooseRepositories(named: readonly string[], packageRoot: string): Repositories {
  const sample = named.length === 0
  const paths = sample ? [join(packageRoot, SAMPLE_REPOSITORY)] : named
  const missing = paths.find(
    (path) =>
      !REMOTE.test(path) && statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true,
  )
  const problem =
    missing === undefined ? '' : `creating server: Internal - failed to stat file ${missing}`
  return { paths, sample, problem }
}
