import { afterEach, expect, test } from 'vitest'
import { ArchiveStore } from '../../../adapters/sagemaker/archive-store.ts'
import { SageMakerModels, UNLOAD_TIMEOUT_MS } from '../../../adapters/sagemaker/models.ts'
import { memoryStore } from '../../../adapters/stores/memory.ts'
import type { ModelState } from '../../../core/server-types.ts'
import { createFakeClock } from '../../helpers/fake-clock.ts'
import { ECHO_CONFIG } from '../../helpers/serve.ts'
import { ECHO_ARCHIVE, type ServingHosts, serveHosts } from '../../helpers/serve-hosts.ts'

let hosts: ServingHosts | undefined
afterEach(async () => {
  await hosts?.close()
  hosts = undefined
})

const REQUEST = JSON.stringify({
  inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1, 1], data: [7] }],
})
const model = { hash: 'a', name: 'a', url: '/opt/ml/models/a/model' }

test('an unload waits for the last answer; who asks meanwhile finds nothing', async () => {
  hosts = await serveHosts({ archives: { a: ECHO_ARCHIVE } })
  const { backend, sagemaker } = hosts
  await hosts.models.load(model)
  const instance = backend.instances.at(-1)
  if (instance === undefined) throw new Error('no instance')
  instance.paused = true
  const answer = fetch(`${sagemaker}/models/a/invoke`, { method: 'POST', body: REQUEST })
  await expect.poll(() => instance.running).toBe(true)
  let unloaded = false
  const unload = fetch(`${sagemaker}/models/a`, { method: 'DELETE' }).then(({ status }) => {
    unloaded = true
    return status
  })
  await expect.poll(async () => (await fetch(`${sagemaker}/models/a`)).status).toBe(404)
  const late = await fetch(`${sagemaker}/models/a/invoke`, { method: 'POST', body: REQUEST })
  expect(late.status).toBe(404)
  const again = hosts.models.load(model)
  expect(unloaded).toBe(false)
  instance.finish()
  expect((await answer).status).toBe(200)
  expect(await unload).toBe(200)
  await again
  expect((await fetch(`${sagemaker}/models/a`)).status).toBe(200)
})

test('an unload that takes longer than SageMaker waits is told, and others are not kept waiting', async () => {
  const clock = createFakeClock()
  const errors: string[] = []
  let state: ModelState = 'READY'
  const store = new ArchiveStore('/opt/ml/models')
  const files = new Map([['model/m/config.pbtxt', new TextEncoder().encode(ECHO_CONFIG)]])
  const models = new SageMakerModels({
    server: {
      load: async () => undefined,
      unload: async () => {
        state = 'UNLOADING'
      },
      index: async () => [{ name: 'a', version: '1', state }],
    },
    store,
    archives: { open: () => ({ store: memoryStore({ files }), folder: 'model' }) },
    clock,
    log: { error: (line) => errors.push(line), warning() {}, info() {}, verbose() {} },
  })
  await models.load(model)
  const unload = models.unload('a')
  await models.load({ hash: 'b', name: 'b', url: '/opt/ml/models/b/model' })
  let done = false
  void unload.then(() => {
    done = true
  })
  while (!done) {
    clock.advance(1e9)
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(clock.now()).toBeGreaterThanOrEqual(UNLOAD_TIMEOUT_MS * 1e6)
  expect(errors).toEqual([expect.stringContaining("'a' takes longer than SageMaker waits")])
  expect([...models.all()].map(({ hash }) => hash)).toEqual(['b'])
})
