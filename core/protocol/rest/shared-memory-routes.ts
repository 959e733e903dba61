import type { Principal } from '../../access/types.ts'
import { clientsRefused, nameNeeded, type RegionKind } from '../../shared-memory/errors.ts'
import { NO_SHARED_MEMORY } from '../../shared-memory/no-shared-memory.ts'
import type { SharedMemory } from '../../shared-memory/types.ts'
import type { ProtocolLimits } from '../limits.ts'
import { emptyReply, jsonReply } from './replies.ts'
import type { RouteParams } from './routes.ts'
import {
  cudaStatusJson,
  parseCudaRegion,
  parseSystemRegion,
  systemStatusJson,
} from './shared-memory-body.ts'
import type { RestRequest, RestResponse } from './types.ts'

export interface SharedMemoryContext {
  readonly limits: ProtocolLimits
  /** Default: no regions, and none can be registered. */
  readonly sharedMemory?: SharedMemory | undefined
}

export function systemStatus(
  { sharedMemory = NO_SHARED_MEMORY }: SharedMemoryContext,
  { region = '' }: RouteParams,
  _request: RestRequest,
  { id }: Principal,
): RestResponse {
  return jsonReply(systemStatusJson(sharedMemory.systemStatus(region, id)))
}

export function cudaStatus(
  { sharedMemory = NO_SHARED_MEMORY }: SharedMemoryContext,
  { region = '' }: RouteParams,
  _request: RestRequest,
  { id }: Principal,
): RestResponse {
  return jsonReply(cudaStatusJson(sharedMemory.cudaStatus(region, id)))
}

export async function registerSystem(
  { sharedMemory = NO_SHARED_MEMORY, limits }: SharedMemoryContext,
  { region = '' }: RouteParams,
  request: RestRequest,
  { id }: Principal,
): Promise<RestResponse> {
  checkFirst(sharedMemory, region, 'system')
  const facts = parseSystemRegion(await request.body(), limits)
  sharedMemory.registerSystem({ ...facts, name: region, owner: id })
  return emptyReply()
}

export async function registerCuda(
  { sharedMemory = NO_SHARED_MEMORY, limits }: SharedMemoryContext,
  { region = '' }: RouteParams,
  request: RestRequest,
  { id }: Principal,
): Promise<RestResponse> {
  checkFirst(sharedMemory, region, 'cuda')
  const facts = parseCudaRegion(await request.body(), limits)
  sharedMemory.registerCuda({ ...facts, name: region, owner: id })
  return emptyReply()
}

export function unregisterSystem(
  { sharedMemory = NO_SHARED_MEMORY }: SharedMemoryContext,
  { region = '' }: RouteParams,
  _request: RestRequest,
  { id }: Principal,
): RestResponse {
  sharedMemory.unregisterSystem(region, id)
  return emptyReply()
}

export function unregisterCuda(
  { sharedMemory = NO_SHARED_MEMORY }: SharedMemoryContext,
  { region = '' }: RouteParams,
  _request: RestRequest,
  { id }: Principal,
): RestResponse {
  sharedMemory.unregisterCuda(region, id)
  return emptyReply()
}

/** What is wrong whatever the body says. */
function checkFirst(sharedMemory: SharedMemory, region: string, kind: RegionKind): void {
  if (!sharedMemory.enabled) throw clientsRefused()
  if (region === '') throw nameNeeded(kind)
}
