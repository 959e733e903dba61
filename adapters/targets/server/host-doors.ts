import { join } from 'node:path'
import { jsonReply, refusedReply } from '../../../core/protocol/rest/replies.ts'
import { errorBody } from '../../../core/protocol/rest/status.ts'
import type { RestRequest, RestResponse } from '../../../core/protocol/rest/types.ts'
import type { Server } from '../../../core/server.ts'
import type { OverloadFlags, SageMakerFlags, VertexFlags } from '../../cli/options.ts'
import { memoryLimit } from '../../overload/memory-limit.ts'
import type { NodePlatform } from '../../platform/node.ts'
import type { ArchiveStore } from '../../sagemaker/archive-store.ts'
import { archivePlace } from '../../sagemaker/archive-url.ts'
import { sagemakerDialect } from '../../sagemaker/dialect.ts'
import { sagemakerFront } from '../../sagemaker/front.ts'
import { memoryRoom } from '../../sagemaker/memory-room.ts'
import { SageMakerModels } from '../../sagemaker/models.ts'
import type { RoomForModel } from '../../sagemaker/types.ts'
import { diskStore } from '../../stores/disk.ts'
import type { OpenStores } from '../../stores/open.ts'
import { vertexModel } from '../../vertex/default-model.ts'
import { vertexDialect } from '../../vertex/dialect.ts'
import { vertexFront } from '../../vertex/front.ts'
import type { Doors } from './doors.ts'
import type { HostDoor } from './http-door.ts'

/** What SageMaker asks, with the archives it unpacks on this machine's disk. */
export function sagemakerDoor(setup: {
  readonly flags: SageMakerFlags
  readonly platform: NodePlatform
  readonly server: Server
  readonly store: ArchiveStore
  readonly guard: OpenStores['guard']
  /** Absent = loads are never refused for the memory they take. */
  readonly room: RoomForModel | undefined
}): HostDoor {
  const { flags, platform, server, store, guard, room } = setup
  const { clock, log } = platform
  const open = (url: string) => {
    const { hash, folder } = archivePlace(url, flags.modelsFolder)
    return { store: guard(diskStore({ root: join(flags.modelsFolder, hash) }), 'model'), folder }
  }
  const models = new SageMakerModels({ server, store, archives: { open }, clock, log, room })
  return {
    address: flags.address,
    port: flags.port,
    front: sagemakerFront(flags, models),
    dialect: sagemakerDialect(flags, models),
  }
}

/** Memory for models, up to where requests are refused for it. */
export function roomForModels({ refusePercent }: OverloadFlags): RoomForModel | undefined {
  if (refusePercent === 0) return undefined
  const limit = Math.floor((memoryLimit() * refusePercent) / 100)
  return memoryRoom({ limit, resident: () => process.memoryUsage.rss() })
}

export type MetricsText = () => Promise<{ readonly contentType: string; text(): Promise<string> }>

/** What Vertex AI asks. Rejects with an Error that says what of its environment, or which model, is missing. */
export async function vertexDoor(setup: {
  readonly flags: VertexFlags
  readonly doors: Doors
  readonly server: Server
  /** Undefined = metrics are switched off. */
  readonly metrics: MetricsText | undefined
}): Promise<HostDoor> {
  const { flags, doors, server, metrics } = setup
  const { address, port, predictRoute, healthRoute } = flags
  if (predictRoute === '') {
    // Triton's text, whose first letters are not the variable's.
    throw new Error('API_PREDICT_ROUTE is not defined for Vertex AI endpoint')
  }
  if (healthRoute === '') {
    throw new Error('AIP_HEALTH_ROUTE is not defined for Vertex AI endpoint')
  }
  const defaultModel = await vertexModel(server, flags.defaultModel)
  const settings = { predictRoute, healthRoute, defaultModel }
  return {
    address,
    port,
    front: vertexFront(settings, metricsReply(doors, metrics)),
    dialect: vertexDialect(settings),
  }
}

function metricsReply(doors: Doors, metrics: MetricsText | undefined) {
  const encoder = new TextEncoder()
  return async (request: RestRequest): Promise<RestResponse> => {
    const { header, address = '', certificate = '' } = request
    const refusal = doors.authorizeMetrics?.({ door: 'http', header, address, certificate }) ?? null
    if (refusal !== null) return refusedReply(refusal)
    if (metrics === undefined) return jsonReply(errorBody('metrics are switched off'), 400)
    const { contentType, text } = await metrics()
    return {
      status: 200,
      headers: { 'Content-Type': contentType },
      body: [encoder.encode(await text())],
    }
  }
}
