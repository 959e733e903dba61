import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DATATYPE_SIZES, type Datatype } from '../../../core/tensor.ts'

/** A compiled `standin.c`, until `remove`. */
export interface StandIn {
  readonly path: string
  remove(): void
}

/** Why there is no stand-in here; undefined = there can be one. */
export const NO_STANDIN: string | undefined = missingCompiler()

function missingCompiler(): string | undefined {
  if (process.platform !== 'linux') return 'the Neuron runtime is for Linux'
  try {
    execFileSync('cc', ['--version'], { stdio: 'ignore' })
    return undefined
  } catch {
    return 'no C compiler'
  }
}

export function compileStandIn(): StandIn {
  const folder = mkdtempSync(join(tmpdir(), 'nereid-neuron-'))
  const path = join(folder, 'libnrt.so.1')
  const source = fileURLToPath(new URL('standin.c', import.meta.url))
  const flags = ['-O1', '-Wall', '-Wextra', '-Werror', '-shared', '-fPIC', '-pthread']
  execFileSync('cc', [...flags, '-o', path, source], { stdio: ['ignore', 'inherit', 'inherit'] })
  return { path, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

export type NeffTensor = readonly [name: string, datatype: Datatype, shape: readonly number[]]

/** The datatypes that a NEFF can have, as `nrt.h` numbers them. */
export const CURRENT: Partial<Record<Datatype, number>> = {
  UINT64: 1,
  INT8: 2,
  UINT8: 3,
  INT16: 4,
  UINT16: 5,
  BF16: 6,
  FP16: 7,
  INT32: 8,
  UINT32: 9,
  FP32: 10,
  INT64: 12,
}

/** As older headers number some of them. */
export const FORMER: Partial<Record<Datatype, number>> = { FP32: 1, FP16: 2, INT8: 4, INT64: 10 }

/** A file that the stand-in takes for a NEFF. */
export function neff(options: {
  readonly op?: string
  readonly cores?: number
  readonly inputs: readonly NeffTensor[]
  readonly outputs: readonly NeffTensor[]
  readonly numbers?: Partial<Record<Datatype, number>>
}): Uint8Array {
  const numbers = options.numbers ?? CURRENT
  const line = (usage: string, [name, datatype, shape]: NeffTensor): string =>
    [usage, name, numbers[datatype] ?? 13, DATATYPE_SIZES[datatype], shape.length, ...shape].join(
      ' ',
    )
  const lines = [
    'NEFFSTANDIN 1',
    `op ${options.op ?? 'identity'} 0`,
    `cores ${options.cores ?? 1}`,
    ...options.inputs.map((one) => line('input', one)),
    ...options.outputs.map((one) => line('output', one)),
  ]
  if (options.op?.includes(' ') === true) lines[1] = `op ${options.op}`
  return new TextEncoder().encode(lines.join('\n'))
}
