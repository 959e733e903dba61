/** One import of one file; `target` is a repository path for relative imports, else the package's name. */
interface Import {
  readonly from: string
  readonly target: string
  readonly local: boolean
}

/** Lines that no file of ours may pass. */
export const MAX_LINES = 400

const STATEMENT =
  /(?:^|\n)\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]|(?:^|\n)\s*import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/g

function importsOf(path: string, source: string): Import[] {
  const found: Import[] = []
  for (const [, from, bare, dynamic] of source.matchAll(STATEMENT)) {
    const specifier = (from ?? bare ?? dynamic) as string
    const local = specifier.startsWith('.')
    found.push({
      from: path,
      target: local ? resolve(path, specifier) : packageOf(specifier),
      local,
    })
  }
  return found
}

function resolve(from: string, specifier: string): string {
  const parts = from.split('/').slice(0, -1)
  for (const part of specifier.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '.') parts.push(part)
  }
  return parts.join('/')
}

function packageOf(specifier: string): string {
  if (specifier.startsWith('node:')) return specifier
  const [first = '', second = ''] = specifier.split('/')
  return first.startsWith('@') ? `${first}/${second}` : first
}

const family = (path: string): string => /^adapters\/([^/]+)\//.exec(path)?.[1] ?? ''
const target = (path: string): string => /^adapters\/targets\/([^/]+)\//.exec(path)?.[1] ?? ''

/** Where a package with vendor code may be imported; everywhere else it is a violation. */
const VENDORS: Readonly<Record<string, RegExp>> = {
  hono: /^adapters\/(http|targets)\//,
  '@hono/node-server': /^adapters\/(http\/node|targets)\//,
  'prom-client': /^adapters\/metrics\/prom\.ts$/,
  commander: /^adapters\/cli\/parse\.ts$/,
  koffi: /^native\//,
  '@bufbuild/protobuf': /^adapters\/grpc\//,
  '@redis/client': /^adapters\/cache\/redis\.ts$/,
  '@opentelemetry/api': /^adapters\/trace\//,
  '@opentelemetry/sdk-trace-base': /^adapters\/trace\//,
  '@opentelemetry/exporter-trace-otlp-http': /^adapters\/trace\//,
  '@opentelemetry/resources': /^adapters\/trace\//,
  'onnxruntime-node': /^adapters\/backends\/|^native\/onnxruntime\//,
  'onnxruntime-web': /^adapters\/(backends|targets\/browser)\//,
  esbuild: /^infra\/|^adapters\/backends\/typescript-source\.ts$/,
  '@aws-sdk/client-s3': /^adapters\/stores\/s3(-client)?\.ts$/,
  sharp: /^models\//,
}

/** Only these touch files: a name from the network reaches a disk through the stores and nothing else. */
const FILES =
  /^(adapters\/(stores|backends|cli|targets|tls|access|shared-memory)\/|adapters\/platform\/log\.ts|adapters\/trace\/file-store\.ts|adapters\/metrics\/cpu\.ts|native\/|infra\/)/

/** What stands further right may be imported by what stands further left, never the other way round. */
const CORE_ORDER: readonly RegExp[] = [
  /^core\/(errors|platform|tensor|bytes|buffer-pool|paths|infer|stats|log-line|clock|operations)\.ts$/,
  /^core\/(access|overload|shared-memory|model-api)\//,
  /^core\/(backend|config|trees)\//,
  /^core\/(server-types|server-options|log|traffic\/types)\.ts$/,
  /^core\/(schedulers|cache|rate-limit|traffic)\//,
  /^core\/model\//,
  /^core\/ensemble\//,
  /^core\/(protocol|repository|metrics|trace|check)\//,
  /^core\/(server|index)\.ts$/,
]
const rank = (path: string): number => CORE_ORDER.findIndex((layer) => layer.test(path))

type Rule = (one: Import) => string | undefined

const RULES: readonly Rule[] = [
  ({ from, target: to, local }) =>
    from.startsWith('core/') && !(local && to.startsWith('core/'))
      ? 'core imports only core'
      : undefined,
  ({ from, target: to, local }) =>
    local && from.startsWith('core/') && to.startsWith('core/') && rank(to) > rank(from)
      ? 'core imports point one way'
      : undefined,
  ({ from, target: to }) =>
    (/^core\/protocol\//.test(from) && /^core\/schedulers\//.test(to)) ||
    (/^core\/schedulers\//.test(from) && /^core\/protocol\//.test(to))
      ? 'protocol and schedulers do not know each other'
      : undefined,
  ({ from, target: to, local }) =>
    local &&
    family(from) !== '' &&
    family(from) !== 'targets' &&
    family(to) !== '' &&
    family(to) !== family(from) &&
    // gRPC is a protocol on HTTP/2, which knows nothing of it.
    !(family(from) === 'grpc' && family(to) === 'http2')
      ? 'adapter families do not import each other'
      : undefined,
  ({ from, target: to, local }) =>
    local && to.startsWith('adapters/targets/') && target(to) !== target(from)
      ? 'nothing imports a target'
      : undefined,
  ({ target: to, local, from }) =>
    local && /^(test|infra)\//.test(to) && !from.startsWith('infra/')
      ? 'nothing imports test or infra'
      : undefined,
  ({ from, target: to, local }) =>
    local &&
    to.startsWith('native/') &&
    !/^(native\/|adapters\/(backends\/|shared-memory\/|http\/node\/|http2\/|metrics\/gpu\.ts$))/.test(
      from,
    )
      ? 'native is reached from backends, shared memory, the listener and GPU metrics only'
      : undefined,
  ({ from, target: to, local }) =>
    local && from.startsWith('native/') && !to.startsWith('native/')
      ? 'native is a leaf'
      : undefined,
  ({ from, target: to, local }) => {
    const place = local ? undefined : VENDORS[to]
    return place === undefined || place.test(from) ? undefined : `${to} has one place`
  },
  ({ from, target: to }) =>
    /^adapters\/http\/(?!node\/)/.test(from) && to.startsWith('node:')
      ? 'the app is portable: Node belongs into http/node'
      : undefined,
  ({ from, target: to }) =>
    /^node:fs(\/promises)?$/.test(to) && !FILES.test(from)
      ? 'files are touched by stores and start-up code only'
      : undefined,
]

/** Everything that is wrong with `files` (path → source), as `path: rule (what)`; empty = nothing. */
export function violations(files: ReadonlyMap<string, string>): string[] {
  const found: string[] = []
  for (const [path, source] of files) {
    const lines = source.split('\n').length
    if (lines > MAX_LINES && !path.endsWith('_pb.ts'))
      found.push(`${path}: ${lines} lines, the limit is ${MAX_LINES}`)
    if (path.startsWith('test/')) continue
    if (path.startsWith('core/') && rank(path) < 0)
      found.push(`${path}: has no place in core's order`)
    for (const one of importsOf(path, source)) {
      for (const rule of RULES) {
        const broken = rule(one)
        if (broken !== undefined) found.push(`${path}: ${broken} (${one.target})`)
      }
    }
  }
  return found
}
