import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ROOT } from './child.ts'

/** A model repository for the suite: `digits`, `iris`, `tumour`, and of `wine` only the first version. */
export interface TargetRepository {
  readonly folder: string
  /** Puts version 2 of `wine` there, at once as a whole. */
  addWine(): void
  remove(): void
}

/** `folder`: where it shall be, default a new one. */
export function targetRepository(folder?: string): TargetRepository {
  const root = folder ?? mkdtempSync(join(tmpdir(), 'nereid-suite-'))
  const models = join(ROOT, 'models')
  mkdirSync(root, { recursive: true })
  for (const name of ['digits', 'iris', 'tumour', 'wine']) {
    cpSync(join(models, name), join(root, name), {
      recursive: true,
      filter: (path) => !/wine\/[2-9]/.test(path),
    })
  }
  return {
    folder: root,
    addWine: () => {
      const aside = `${root}.new`
      cpSync(join(models, 'wine/2'), aside, { recursive: true })
      renameSync(aside, join(root, 'wine/2'))
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  }
}
