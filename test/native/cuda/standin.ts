import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A compiled `standin.c`, until `remove`. */
export interface StandIn {
  /** For `LD_LIBRARY_PATH` of a process that shall find it. */
  readonly folder: string
  remove(): void
}

/** undefined, and said so, where nothing can be compiled. */
export function compileCuda(): StandIn | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'nereid-cuda-'))
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  const source = fileURLToPath(new URL('standin.c', import.meta.url))
  const out = join(folder, 'libcuda.so.1')
  try {
    const flags = ['-O1', '-Wall', '-Wextra', '-Werror', '-shared', '-fPIC']
    execFileSync('cc', [...flags, '-o', out, source], { stdio: ['ignore', 'inherit', 'inherit'] })
  } catch (error) {
    remove()
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    console.log('skipped: no C compiler for the stand-in of CUDA')
    return undefined
  }
  return { folder, remove }
}
