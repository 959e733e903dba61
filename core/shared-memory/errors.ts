import { ServerError } from '../errors.ts'

/** Triton's texts about shared memory, each in one place. */

export type RegionKind = 'system' | 'cuda'

export function clientsRefused(): ServerError {
  return new ServerError(
    'UNSUPPORTED',
    "Client shared memory is disabled. Start the server with '--allow-client-shm=true' to enable.",
  )
}

export function nameNeeded(kind: RegionKind): ServerError {
  return invalid(`'region name' is necessary to register ${kind} shared memory region`)
}

export function cannotOpen(key: string): ServerError {
  return new ServerError('INTERNAL', `Unable to open shared memory region: '${key}'`)
}

/** A handle that the driver does not take. */
export function cannotOpenHandle(): ServerError {
  return invalid('failed to register shared memory region: invalid args')
}

export function cannotRegister(name: string, reason: string): ServerError {
  return invalid(`failed to register shared memory region '${name}': ${reason}`)
}

export function alreadyRegistered(name: string): ServerError {
  return new ServerError('ALREADY_EXISTS', `shared memory region '${name}' already in manager`)
}

/** `kind` is named where a status was asked for. */
export function unknownRegion(name: string, kind?: RegionKind): ServerError {
  const what = kind === undefined ? 'shared' : `${kind} shared`
  return new ServerError('NOT_FOUND', `Unable to find ${what} memory region: '${name}'`)
}

/** A status of system regions was asked for, and there is a CUDA region of that name. */
export function notSystem(name: string): ServerError {
  return new ServerError(
    'NOT_FOUND',
    `The region named '${name}' is registered as CUDA shared memory, not system shared memory`,
  )
}

/** A status of CUDA regions was asked for, and there is a system region of that name. */
export function notCuda(name: string): ServerError {
  return new ServerError(
    'NOT_FOUND',
    `The region named '${name}' is registered as system shared memory, not CUDA shared memory`,
  )
}

export function invalidOffset(name: string): ServerError {
  return invalid(`Invalid offset for shared memory region: '${name}'`)
}

export function invalidEnd(name: string): ServerError {
  return invalid(`Invalid offset + byte size for shared memory region: '${name}'`)
}

/** The object behind a region became smaller than it was when it was registered. */
export function truncated(verb: 'read' | 'write', name: string): ServerError {
  return invalid(`unable to ${verb} shared memory region: '${name}'`)
}

export function outputTooLarge(output: string, given: number, needed: number): ServerError {
  return new ServerError(
    'INTERNAL',
    `shared memory size specified with the request for output '${output}' (${given} bytes) should be at least ${needed} bytes to hold the results`,
  )
}

export function invalid(message: string): ServerError {
  return new ServerError('INVALID_ARG', message)
}
