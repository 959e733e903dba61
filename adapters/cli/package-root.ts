import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface PackageFacts {
  /** The folder that holds this package's `package.json`. */
  readonly root: string
  readonly version: string
}

/** Finds this package from one of its own files, whether it runs from source or from its bundle. */
export function findPackage(fromUrl: string): PackageFacts {
  for (let folder = dirname(fileURLToPath(fromUrl)); ; folder = dirname(folder)) {
    const file = join(folder, 'package.json')
    const facts = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as unknown) : undefined
    if (isOurs(facts)) return { root: folder, version: facts.version }
    if (folder === dirname(folder)) throw new Error(`no package.json of nereid above ${fromUrl}`)
  }
}

function isOurs(facts: unknown): facts is { readonly version: string } {
  return (
    typeof facts === 'object' &&
    facts !== null &&
    'name' in facts &&
    facts.name === 'nereid-server' &&
    'version' in facts &&
    typeof facts.version === 'string'
  )
}
