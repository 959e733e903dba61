import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { FLAGS } from '../../adapters/cli/flag-table.ts'
import { KUBERNETES, ROOT, run, tool, validate } from './tools.ts'

const hadolint = tool('hadolint')
const kustomize = tool('kustomize')
const helm = tool('helm')
const kubeconform = tool('kubeconform') ?? ''
const known = kubeconform === ''

const text = (path: string): string => readFileSync(join(ROOT, 'infra', path), 'utf8')
const overlay = (name: string): string =>
  run(kustomize ?? '', ['build', `infra/kubernetes/overlays/${name}`])
const chart = (...values: string[]): string =>
  run(helm ?? '', [
    'template',
    'models',
    'infra/helm/nereid',
    '--kube-version',
    KUBERNETES,
    ...values.flatMap((value) => ['--set', value]),
  ])
/** Documents of a kind. */
const ofKind = (manifests: string, kind: string): string[] =>
  manifests.split(/^---$/m).filter((one) => new RegExp(`^kind: ${kind}$`, 'm').test(one))
const figure = (manifest: string, pattern: RegExp): number =>
  Number(pattern.exec(manifest)?.[1] ?? Number.NaN)

const dockerfiles = readdirSync(join(ROOT, 'infra'))
  .map((folder) => `infra/${folder}/Dockerfile`)
  .filter((path) => existsSync(join(ROOT, path)))

test.skipIf(hadolint === undefined)('no Dockerfile has anything that hadolint objects to', () => {
  expect(dockerfiles).toContain('infra/docker/Dockerfile')
  expect(run(hadolint ?? '', dockerfiles)).toBe('')
})

test('every image runs as uid 1000, by the command that Triton images have', () => {
  const stages = text('docker/Dockerfile').split(/^FROM /m)
  for (const name of ['cpu', 'gpu', 'tensorrt']) {
    const stage = stages.find((one) => one.split('\n', 1)[0]?.endsWith(`AS ${name}`)) ?? ''
    expect([name, stage.match(/^USER .*/gm)?.at(-1)]).toEqual([name, 'USER 1000:1000'])
  }
  expect(text('docker/Dockerfile').match(/^CMD \["tritonserver"\]$/gm)).toHaveLength(2)
})

describe.skipIf(kustomize === undefined || known)('kustomize', () => {
  const names = readdirSync(join(ROOT, 'infra/kubernetes/overlays'))

  test.each(names)('overlay %s is what Kubernetes and the operators take', (name) => {
    expect(validate(kubeconform, overlay(name))).toContain('Invalid: 0, Errors: 0, Skipped: 0')
  })

  test('a field with a typing error is found', () => {
    const wrong = overlay('cpu').replace('readOnlyRootFilesystem', 'readOnlyRootFileSystem')
    expect(() => validate(kubeconform, wrong)).toThrow('readOnlyRootFileSystem')
  })

  test('accelerators are asked for by the names of their device plugins', () => {
    expect(overlay('gpu')).toMatch(/image: nereid:gpu.*nvidia\.com\/gpu: "1"/s)
    expect(overlay('inferentia')).toMatch(/aws\.amazon\.com\/neuron: "1"/)
    expect(overlay('arm64')).toMatch(/nodeSelector:\n\s+kubernetes\.io\/arch: arm64/)
  })

  test.each(names)('overlay %s is scaled by one autoscaler', (name) => {
    const scalers = ['HorizontalPodAutoscaler', 'ScaledObject']
    const manifests = overlay(name)
    expect(scalers.flatMap((kind) => ofKind(manifests, kind))).toHaveLength(1)
    // Its figure is not overwritten when the manifests are applied again.
    expect(manifests).not.toMatch(/^ {2}replicas:/m)
  })
})

describe.skipIf(helm === undefined || known)('the Helm chart', () => {
  test('has nothing that helm objects to', () => {
    const lint = run(helm ?? '', ['lint', '--strict', 'infra/helm/nereid'])
    expect(lint).toContain('0 chart(s) failed')
  })

  test.each(['none', 'hpa', 'keda'])('renders with autoscaling by %s', (kind) => {
    const manifests = chart(`autoscaling.kind=${kind}`, 'serviceMonitor.enabled=true')
    expect(validate(kubeconform, manifests)).toContain('Invalid: 0, Errors: 0, Skipped: 0')
    // An autoscaler's figure is not overwritten by the next upgrade.
    expect(/^ {2}replicas:/m.test(manifests)).toBe(kind === 'none')
  })

  test('serves a bucket without a claim', () => {
    const manifests = chart('modelRepository=s3://models/production', 'modelClaim=')
    expect(manifests).toContain('--model-repository=s3://models/production')
    expect(manifests).not.toContain('persistentVolumeClaim')
  })

  test('refuses values that it does not have', () => {
    expect(() => chart('autoscaling.kind=magic')).toThrow(/autoscaling.*kind/)
    expect(() => chart('replica=3')).toThrow('replica')
  })

  test('gives pods the time that the server may take', () => {
    const pod = chart('drainDelaySeconds=20', 'exitTimeoutSeconds=120')
    expect(figure(pod, /terminationGracePeriodSeconds: (\d+)/)).toBe(150)
  })
})

test.skipIf(kustomize === undefined)('pods have more time than the server needs to stop', () => {
  const pod = overlay('cpu')
  const drain = figure(pod, /--drain-delay-secs=(\d+)/)
  const exit = figure(pod, /--exit-timeout-secs=(\d+)/)
  const grace = figure(pod, /terminationGracePeriodSeconds: (\d+)/)
  expect(grace).toBeGreaterThanOrEqual(drain + exit + 5)
  // A readiness probe that fails has to be seen while the pod still accepts.
  expect(drain).toBeGreaterThanOrEqual(figure(pod, /readinessProbe:.*?periodSeconds: (\d+)/s))
})

test.skipIf(known)('KServe takes the runtimes', () => {
  const files = readdirSync(join(ROOT, 'infra/kserve')).filter((name) => name.endsWith('.yaml'))
  const manifests = files.map((name) => text(`kserve/${name}`)).join('---\n')
  expect(validate(kubeconform, manifests)).toContain('Invalid: 0, Errors: 0, Skipped: 0')
})

test('every flag in a manifest is one that the server has', () => {
  const names = new Set(FLAGS.map(({ name }) => name))
  const files = [
    'kubernetes/base/deployment.yaml',
    'helm/nereid/templates/deployment.yaml',
    'kserve/serving-runtime.yaml',
    'kserve/cluster-serving-runtime.yaml',
  ]
  for (const file of files) {
    const flags = [...text(file).matchAll(/^\s+- --([a-z-]+)/gm)].map(([, name = '']) => name)
    expect(flags.length).toBeGreaterThan(2)
    expect([file, flags.filter((name) => !names.has(name))]).toEqual([file, []])
  }
})
