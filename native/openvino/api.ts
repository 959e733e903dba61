import koffi from 'koffi'
import type { Pointer } from '../onnxruntime/functions.ts'
import { type OpenVinoLibrary, openOpenVinoLibrary } from './library.ts'

/** ov_status_e of what a library cannot do by its C API. */
export const NOT_IMPLEMENTED = -16

/** What OpenVINO says when a call fails. */
export class OpenVinoError extends Error {
  /** ov_status_e: -1 general, -5 not found, -13 cancelled, -14 invalid parameter, … */
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.name = 'OpenVinoError'
    this.status = status
  }
}

/** OpenVINO's C functions and the little that every caller needs around them. */
export interface OpenVinoApi extends OpenVinoLibrary {
  /** `2026.4.1-22982-…` */
  readonly version: string
  /** Throws OpenVinoError unless `status` is OK. */
  check(status: number): void
  error(status: number): OpenVinoError
  /** Runs a call that writes one pointer or size through its last argument and returns what it wrote. */
  result(call: (slot: BigUint64Array) => number): number
  /** A 32-bit result written through the last argument. */
  result32(call: (slot: Int32Array) => number): number
  /** The text at an address that OpenVINO allocated, which is freed. */
  takeText(address: Pointer): string
}

/** Loads the library at `path`. */
export function loadOpenVinoApi(path: string): OpenVinoApi {
  const library = openOpenVinoLibrary(path)
  const slot = new BigUint64Array(1)
  const slot32 = new Int32Array(1)

  function takeText(address: Pointer): string {
    if (address === 0) return ''
    const text = koffi.decode.string(address)
    library.free(address)
    return text
  }
  function error(status: number): OpenVinoError {
    // One text per process, whose threads take turns: it may be that of another call that failed meanwhile.
    const last = tidy(takeText(library.lastError()))
    return new OpenVinoError(status, last === '' ? library.errorText(status) : last)
  }
  function check(status: number): void {
    if (status !== 0) throw error(status)
  }
  function result(call: (slot: BigUint64Array) => number): number {
    slot[0] = 0n
    check(call(slot))
    return Number(slot[0])
  }
  function result32(call: (slot: Int32Array) => number): number {
    slot32[0] = 0
    check(call(slot32))
    return slot32[0] as number
  }
  return { ...library, version: versionOf(library), check, error, result, result32, takeText }
}

function versionOf(library: OpenVinoLibrary): string {
  const texts = new BigUint64Array(2)
  if (library.getVersion(texts) !== 0) return ''
  const build = koffi.decode.string(Number(texts[0]))
  library.freeVersion(texts)
  return build
}

/** OpenVINO's texts begin with the places in its sources that the exception came by. */
function tidy(text: string): string {
  return text
    .split('\n')
    .filter((line) => !/^(Exception from|Check '.*' failed at) .*:\d+:$/.test(line))
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .join('; ')
}
