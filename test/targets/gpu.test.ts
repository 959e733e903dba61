import { appendFileSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { afterAll, afterEach, expect, test } from 'vitest'
import { ROOT, serve, stopAll } from './child.ts'

const VULKAN = join(ROOT, '.cache/container/vulkan')
const SWIFTSHADER = join(VULKAN, 'vk_swiftshader_icd.json')
const vulkan = existsSync(SWIFTSHADER)
if (!vulkan) {
  console.log('skipped: no SwiftShader (test/targets/tools/container.sh installs it)')
}

const folder = mkdtempSync(join(tmpdir(), 'gpu-'))
afterEach(stopAll)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A repository with the digits model for the CPU, and again as `name` with what its config shall say of instances. */
function repository(name: string, instances: string): string {
  const path = mkdtempSync(join(folder, 'models-'))
  for (const model of ['digits', name]) {
    cpSync(join(ROOT, 'models/digits'), join(path, model), { recursive: true })
  }
  const config = join(path, name, 'config.pbtxt')
  const text = readFileSync(config, 'utf8').replace(/^instance_group.*$/m, '')
  rmSync(config)
  appendFileSync(config, `${text}\n${instances}\n`)
  return path
}

const ROWS = 60
const pixels = readFileSync(join(ROOT, 'test/fixtures/digits/test-set.bin'))

async function scores(url: string, model: string, first: number): Promise<number[]> {
  const data = [...pixels.subarray(first * 64, (first + ROWS) * 64)]
  const inputs = [{ name: 'image', datatype: 'FP32', shape: [ROWS, 1, 8, 8], data }]
  const body = JSON.stringify({ inputs })
  const answer = await fetch(`${url}/v2/models/${model}/infer`, { method: 'POST', body })
  const { error, outputs } = (await answer.json()) as {
    error?: string
    outputs: { data: number[] }[]
  }
  expect(error).toBeUndefined()
  return outputs[0]?.data ?? []
}

test.skipIf(!vulkan)('WebGPU answers as the CPU does', async () => {
  const models = repository(
    'digits_webgpu',
    `instance_group [ { kind: KIND_GPU } ]
     optimization { execution_accelerators { gpu_execution_accelerator [ { name: "webgpu" } ] } }`,
  )
  const { url } = await serve([`--model-repository=${models}`], {
    VK_ICD_FILENAMES: SWIFTSHADER,
    LD_LIBRARY_PATH: VULKAN,
  })
  let apart = 0
  const begin = performance.now()
  for (let first = 0; first < 360; first += ROWS) {
    const expected = await scores(url, 'digits', first)
    const actual = await scores(url, 'digits_webgpu', first)
    expect(actual).toHaveLength(ROWS * 10)
    for (const [i, score] of actual.entries()) {
      apart = Math.max(apart, Math.abs(score - (expected[i] ?? Number.NaN)))
    }
  }
  expect(apart).toBeLessThan(1e-4)
  // Equal to the last bit would mean that it ran on the CPU after all.
  expect(apart).toBeGreaterThan(0)
  const ms = (performance.now() - begin).toFixed(0)
  console.log(`target gpu-container: WebGPU on SwiftShader, 360 digits in ${ms} ms, apart ${apart}`)
})

test('a model for CUDA says what is missing where CUDA is, and the others serve', async () => {
  const models = repository('digits_cuda', 'instance_group [ { kind: KIND_GPU } ]')
  const { url, log } = await serve([`--model-repository=${models}`, '--exit-on-error=false'])
  const error = /failed to load 'digits_cuda' version 1: (.*)"/.exec(log())?.[1]
  expect(error).toContain("instance 'digits_cuda_0' of model 'digits_cuda' asks for cuda")
  expect(error).toContain('use KIND_CPU')
  expect(error).not.toContain('onnxruntime_src')
  expect(await scores(url, 'digits', 0)).toHaveLength(ROWS * 10)
})

test('a model for WebGPU says that there is no GPU', async () => {
  const models = repository(
    'digits_webgpu',
    `instance_group [ { kind: KIND_GPU } ]
     optimization { execution_accelerators { gpu_execution_accelerator [ { name: "webgpu" } ] } }`,
  )
  const { log } = await serve([`--model-repository=${models}`, '--exit-on-error=false'], {
    VK_ICD_FILENAMES: '/nowhere/icd.json',
  })
  const error = /failed to load 'digits_webgpu' version 1: (.*)"/.exec(log())?.[1]
  expect(error).toContain('asks for webgpu: onnx runtime error 1: Failed to get a WebGPU adapter')
  expect(error).toContain('use KIND_CPU')
})
