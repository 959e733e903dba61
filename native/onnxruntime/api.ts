import koffi from 'koffi'
import { API_VERSION, FUNCTIONS, type Functions, type Pointer } from './functions.ts'
import { bundledLibraryPath, type Library, openLibrary } from './library.ts'

/** What ONNX Runtime says when a call fails. */
export class OrtError extends Error {
  /** OrtErrorCode: 1 fail, 2 invalid argument, 3 no such file, 6 runtime exception, 7 invalid protobuf, … */
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.name = 'OrtError'
    this.code = code
  }
}

/** ONNX Runtime's C functions and the little that every caller needs around them. */
export interface OrtApi extends Functions {
  /** `1.30.0` */
  readonly version: string
  readonly library: Library
  /** CPU memory of ours, for tensors over buffers that JavaScript owns. */
  readonly cpuMemory: Pointer
  readonly allocator: Pointer
  /** Throws OrtError and frees `status` unless it is NULL (success). */
  check(status: Pointer): void
  /** The OrtError of a failed call, freeing `status`. */
  error(status: Pointer): OrtError
  /** Runs a call that writes one pointer or size through its last argument and returns what it wrote. */
  result(call: (slot: BigUint64Array) => Pointer): number
  /** A 32-bit result written through the last argument. */
  result32(call: (slot: Int32Array) => Pointer): number
}

/** Loads ONNX Runtime from `path`, by default the library of the `onnxruntime-node` package. */
export function loadOrtApi(path: string = bundledLibraryPath()): OrtApi {
  const library = openLibrary(path)
  const base: bigint = library.handle.func('OrtGetApiBase', 'void *', [])()
  const getApi = koffi.decode(koffi.decode(base, 'void *'), koffi.proto('void *', ['uint32']))
  const getVersion = koffi.decode(koffi.decode(base, 8, 'void *'), koffi.proto('str', []))
  const version: string = getVersion()
  const table: bigint | null = getApi(API_VERSION)
  if (table === null) {
    throw new Error(
      `ONNX Runtime ${version} at ${path} is too old: 1.${API_VERSION} or later is needed`,
    )
  }
  const functions = bind(table)
  const slot = new BigUint64Array(1)
  const slot32 = new Int32Array(1)

  function error(status: Pointer): OrtError {
    const failure = new OrtError(functions.getErrorCode(status), functions.getErrorMessage(status))
    functions.releaseStatus(status)
    return failure
  }
  function check(status: Pointer): void {
    if (status !== 0) throw error(status)
  }
  function result(call: (slot: BigUint64Array) => Pointer): number {
    slot[0] = 0n
    check(call(slot))
    return Number(slot[0])
  }
  function result32(call: (slot: Int32Array) => Pointer): number {
    slot32[0] = 0
    check(call(slot32))
    return slot32[0] as number
  }

  return {
    ...functions,
    version,
    library,
    cpuMemory: result((out) => functions.createCpuMemoryInfo(ARENA_ALLOCATOR, DEFAULT_MEMORY, out)),
    allocator: result((out) => functions.getAllocatorWithDefaultOptions(out)),
    check,
    error,
    result,
    result32,
  }
}

const ARENA_ALLOCATOR = 1
const DEFAULT_MEMORY = 0
const POINTER_BYTES = 8

function bind(table: bigint): Functions {
  const bound: Record<string, unknown> = {}
  for (const [name, [index, result, parameters]] of Object.entries(FUNCTIONS)) {
    const address = koffi.decode(table, index * POINTER_BYTES, 'void *')
    bound[name] = koffi.decode(address, koffi.proto(result, [...parameters]))
  }
  return bound as unknown as Functions
}
