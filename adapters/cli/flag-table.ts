import type { Flag, FlagGroup } from './flag-types.ts'
import { ACCESS_GROUP } from './flags/access.ts'
import { CACHE_GROUP } from './flags/cache.ts'
import { SAGEMAKER_GROUP, VERTEX_GROUP } from './flags/cloud.ts'
import { GRPC_GROUP } from './flags/grpc.ts'
import { HTTP_GROUP, LIMIT_GROUP, METRICS_GROUP } from './flags/http.ts'
import { DEPRECATED_GROUP, LATER_GROUPS } from './flags/later.ts'
import { ON_DEMAND_GROUP } from './flags/on-demand.ts'
import { OVERLOAD_GROUP } from './flags/overload.ts'
import { RATE_GROUP } from './flags/rate.ts'
import { REMOTE_GROUP } from './flags/remote.ts'
import { BACKEND_GROUP, LOG_GROUP, REPOSITORY_GROUP, SERVER_GROUP } from './flags/server.ts'
import { SHARED_MEMORY_GROUP } from './flags/shared-memory.ts'
import { TRACE_GROUP } from './flags/trace.ts'
import { TRAFFIC_GROUP } from './flags/traffic.ts'

/** Every flag there is, in the order help shows them. */
export const FLAG_GROUPS: readonly FlagGroup[] = [
  SERVER_GROUP,
  LOG_GROUP,
  REPOSITORY_GROUP,
  REMOTE_GROUP,
  HTTP_GROUP,
  GRPC_GROUP,
  METRICS_GROUP,
  ACCESS_GROUP,
  BACKEND_GROUP,
  LIMIT_GROUP,
  OVERLOAD_GROUP,
  SHARED_MEMORY_GROUP,
  RATE_GROUP,
  CACHE_GROUP,
  TRAFFIC_GROUP,
  ON_DEMAND_GROUP,
  TRACE_GROUP,
  SAGEMAKER_GROUP,
  VERTEX_GROUP,
  ...LATER_GROUPS,
  DEPRECATED_GROUP,
]

export const FLAGS: readonly Flag[] = FLAG_GROUPS.flatMap((group) => group.flags)

/** The variable that stands in for a flag that is not given: `--http-port` ↔ `NEREID_HTTP_PORT`. */
export function environmentName(flag: string): string {
  return `NEREID_${flag.toUpperCase().replaceAll('-', '_')}`
}
