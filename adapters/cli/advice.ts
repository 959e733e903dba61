import type { Restriction } from '../../core/access/restrictions.ts'
import type { ServeOptions } from './options.ts'
import { table } from './tables.ts'

/** First releases of a line that have this autumn's HTTP/2 and Brotli fixes; lines not named here get none any more. */
const PATCHED: Readonly<Record<number, readonly [minor: number, patch: number]>> = {
  22: [23, 0],
  24: [22, 3],
}
/** Lines from here on were born with them. */
const FIRST_PATCHED_MAJOR = 26

/** What an owner should know about the runtime: a line without security fixes, or a release that lacks some. */
export function runtimeAdvice(nodeVersion: string): string | undefined {
  const [major = 0, minor = 0, patch = 0] = nodeVersion.replace(/^v/, '').split('.').map(Number)
  if (major >= FIRST_PATCHED_MAJOR) return undefined
  const fixed = PATCHED[major]
  if (fixed === undefined) {
    return `Node ${nodeVersion} gets no security fixes any more: run this server on a maintained release (24)`
  }
  if (minor > fixed[0] || (minor === fixed[0] && patch >= fixed[1])) return undefined
  return `Node ${nodeVersion} has known security holes: update it to ${major}.${fixed[0]}.${fixed[1]} or later`
}

const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost'])

/** One port on which clients ask for more than metrics. */
interface ClientDoor {
  readonly name: string
  readonly flag: string
  readonly address: string
  readonly port: number
  readonly restrictions: readonly Restriction[]
  readonly tls: boolean
  readonly clientCertificates: boolean
  /** The groups of operations that are to be had there. Absent = all. */
  readonly offers?: readonly string[]
}

function clientDoors(options: ServeOptions): readonly ClientDoor[] {
  const { http, grpc, sagemaker, vertex, access } = options
  const doors: ClientDoor[] = []
  if (http.enabled) {
    const { httpTls } = access
    doors.push({
      ...http,
      name: 'HTTP',
      flag: 'http-restricted-api',
      tls: httpTls !== undefined,
      clientCertificates: httpTls !== undefined && httpTls.ca !== '',
    })
  }
  if (grpc.enabled) {
    doors.push({
      ...grpc,
      name: 'GRPC',
      flag: 'grpc-restricted-protocol',
      tls: grpc.tls !== null,
      clientCertificates: grpc.tls !== null && grpc.tls.ca !== '',
    })
  }
  const hosts = [
    { ...sagemaker, name: 'SageMaker', offers: ['model-repository'] },
    { ...vertex, name: 'Vertex AI', offers: [] },
  ]
  // Their hosts speak plain HTTP to them, and keep the network away.
  for (const { enabled, name, address, port, offers } of hosts) {
    if (!enabled) continue
    const { restrictions } = http
    const plain = { tls: false, clientCertificates: false, flag: 'http-restricted-api' }
    doors.push({ ...plain, name, address, port, restrictions, offers })
  }
  return doors
}

/** What anyone on the network can do here that is not meant for everyone. With `--strict-security` nothing may be. */
export function exposureAdvice(options: ServeOptions): readonly string[] {
  const { access, modelControlMode, sharedMemory, trace } = options
  const powers: [boolean, api: string, what: string][] = [
    [modelControlMode === 'explicit', 'model-repository', 'load and unload models'],
    [sharedMemory.enabled, 'shared-memory', 'have shared memory of this machine read and written'],
    // Without a place for traces, none can be switched on.
    [trace.mode !== 'triton' || trace.file !== '', 'trace', 'have requests of others recorded'],
  ]
  const advice: string[] = []
  for (const door of clientDoors(options)) {
    const { flag, address, port, restrictions, clientCertificates, offers } = door
    if (LOOPBACK.has(address) || access.authFile !== '' || clientCertificates) continue
    for (const [given, api, what] of powers) {
      if (!given || offers?.includes(api) === false) continue
      if (restrictions.some(({ apis }) => apis.includes(api))) continue
      advice.push(
        `anyone who reaches ${address}:${port} can ${what}: consider --auth-file or --${flag}=${api}:<key>=<value>`,
      )
    }
  }
  return advice
}

/** Each port and what stands between it and the network, as it is shown at start. */
export function doorTable(options: ServeOptions): readonly string[] {
  const { access, metrics, modelControlMode, sharedMemory } = options
  const control = modelControlMode === 'explicit' ? 'on' : 'off'
  const shm = sharedMemory.enabled ? (sharedMemory.trustClients ? 'mapped' : 'copied') : 'off'
  const rows = clientDoors(options).map((door) => [
    door.name,
    `${door.address}:${door.port}`,
    door.tls ? (door.clientCertificates ? 'mutual' : 'on') : 'off',
    authOf(door, access.authFile),
    door.offers?.includes('model-repository') === false ? 'off' : control,
    door.offers === undefined ? shm : 'off',
  ])
  if (metrics.enabled) {
    const auth = access.metricsRequireKey ? 'keys' : 'none'
    rows.push(['Metrics', `${metrics.address}:${metrics.port}`, 'off', auth, 'off', 'off'])
  }
  return table(['Door', 'Address', 'TLS', 'Access', 'Model control', 'Shared memory'], rows)
}

function authOf({ restrictions }: ClientDoor, authFile: string): string {
  const kinds = [
    ...(authFile === '' ? [] : ['keys']),
    ...(restrictions.length === 0 ? [] : ['restricted']),
  ]
  return kinds.length === 0 ? 'none' : kinds.join(', ')
}
