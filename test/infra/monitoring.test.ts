import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TestAuthority } from '../helpers/certificates.ts'
import { compileNvml } from '../native/nvml/standin.ts'
import { serve, stopAll } from '../targets/child.ts'
import { ROOT, run, tool } from './tools.ts'

const promtool = tool('promtool')
const nvml = compileNvml()
const folder = mkdtempSync(join(tmpdir(), 'monitoring-'))
const text = (path: string): string => readFileSync(join(ROOT, 'infra', path), 'utf8')

interface Panel {
  readonly title: string
  readonly targets?: readonly { readonly expr: string }[]
}
const dashboard = JSON.parse(text('grafana/dashboard.json')) as {
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly { readonly query: unknown }[] }
}
const queries = dashboard.panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr }) => ({ title, expr })),
)

/** Names of metrics in PromQL, wherever they stand. */
const namesIn = (promql: string): string[] => [
  ...new Set(promql.match(/\b(?:nv|nereid|process|nodejs)_[a-z0-9_]+/g)),
]

/** Names of all series of a server that has everything switched on. */
const served = new Set<string>()

beforeAll(async () => {
  const models = join(folder, 'models')
  cpSync(join(ROOT, 'models/digits'), join(models, 'digits'), { recursive: true })
  appendFileSync(join(models, 'digits/config.pbtxt'), '\nresponse_cache { enable: true }\n')
  const { cert, key } = new TestAuthority().sign('/CN=server', 'DNS:localhost')
  const file = (name: string, content: string): string => {
    writeFileSync(join(folder, name), content)
    return join(folder, name)
  }
  const keys = [{ id: 'anybody', hash: `sha256:${'0'.repeat(64)}`, scopes: ['*'] }]
  const { metricsUrl } = await serve(
    [
      `--model-repository=${models}`,
      `--grpc-use-ssl=true`,
      `--grpc-server-cert=${file('cert.pem', cert)}`,
      `--grpc-server-key=${file('key.pem', key)}`,
      `--auth-file=${file('keys.json', JSON.stringify(keys))}`,
      '--cache-config=local,size=1048576',
      '--metrics-config=histogram_latencies=true',
    ],
    nvml === undefined ? {} : { LD_LIBRARY_PATH: nvml.folder },
  )
  const answer = await (await fetch(metricsUrl)).text()
  for (const [, name = ''] of answer.matchAll(/^([a-z_0-9]+)[{ ]/gm)) {
    served.add(name)
    // As a text calls a histogram.
    served.add(name.replace(/_bucket$/, ''))
  }
})
afterAll(async () => {
  await stopAll()
  nvml?.remove()
  rmSync(folder, { recursive: true, force: true })
})

/** Of machines with a GPU alone. */
const there = (name: string): boolean =>
  served.has(name) || (nvml === undefined && /^nv_(gpu|energy)/.test(name))

test('every metric of the dashboard is one that the server has', () => {
  expect(queries.length).toBeGreaterThan(20)
  const missing = queries.flatMap(({ title, expr }) =>
    namesIn(expr)
      .filter((name) => !there(name))
      .map((name) => `${title}: ${name}`),
  )
  expect(missing).toEqual([])
  expect(namesIn(JSON.stringify(dashboard.templating)).filter((name) => !there(name))).toEqual([])
})

test('every metric of an alert or an autoscaler is one that the server has', () => {
  for (const path of [
    'prometheus/alerts.yaml',
    'kubernetes/components/keda/scaled-object.yaml',
    'kubernetes/components/hpa/horizontal-pod-autoscaler.yaml',
    'helm/nereid/templates/autoscaling.yaml',
  ]) {
    const names = namesIn(text(path))
    expect([path, names.length > 0, names.filter((name) => !there(name))]).toEqual([path, true, []])
  }
})

test.skipIf(promtool === undefined)('Prometheus can read every query of the dashboard', () => {
  const rules = queries.map(({ expr }, i) => ({
    record: `panel:${i}`,
    expr: expr.replaceAll('$__rate_interval', '5m').replaceAll(/\$(\w+)/g, '.*'),
  }))
  const path = join(folder, 'dashboard-rules.yaml')
  // JSON is YAML.
  writeFileSync(path, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }))
  expect(run(promtool ?? '', ['check', 'rules', path])).toContain(`${queries.length} rules found`)
})

test.skipIf(promtool === undefined)('alerts fire for what they are for, and not beside it', () => {
  expect(run(promtool ?? '', ['check', 'rules', 'infra/prometheus/alerts.yaml'])).toContain(
    'SUCCESS',
  )
  expect(run(promtool ?? '', ['test', 'rules', 'infra/prometheus/alerts.test.yaml'])).toContain(
    'SUCCESS',
  )
})

test.skipIf(promtool === undefined)('every alert has a test in which it fires', () => {
  const alerts = [...text('prometheus/alerts.yaml').matchAll(/- alert: (\w+)/g)]
  const tests = text('prometheus/alerts.test.yaml')
  for (const [, name] of alerts) {
    expect(tests).toMatch(new RegExp(`alertname: ${name}\\s+exp_alerts:`))
  }
})
