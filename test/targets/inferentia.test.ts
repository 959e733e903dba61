import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compileStandIn, NO_STANDIN, neff } from '../native/neuron/standin.ts'
import { buildServer, serve, stopAll } from './child.ts'
import { targetRepository } from './repository.ts'
import { targetSuite } from './suite.ts'

const ROWS = 8

if (NO_STANDIN !== undefined) console.info(`target inferentia: skipped, ${NO_STANDIN}`)
describe.skipIf(NO_STANDIN !== undefined)('target inferentia', () => {
  const standIn = NO_STANDIN === undefined ? compileStandIn() : undefined
  const repository = targetRepository()
  const neffOf = (op: string): Uint8Array =>
    neff({
      op,
      inputs: [['X', 'FP32', [ROWS, 4]]],
      outputs: [['Y', 'FP32', [ROWS, 4]]],
    })
  const folder = (name: string): string => join(repository.folder, name)

  afterAll(async () => {
    await stopAll()
    repository.remove()
    standIn?.remove()
  })

  // The digits run on the CPU of a machine with NeuronCores: instances of KIND_CPU of a Neuron model.
  const digits = join(folder('digits'), 'config.pbtxt')
  const config = readFileSync(digits, 'utf8')
  writeFileSync(
    digits,
    `backend: "neuron"\ninstance_group [{ kind: KIND_CPU }]\n${config.replaceAll(/^(platform|backend):.*$/gm, '')}`,
  )
  mkdirSync(join(folder('copy'), '1'), { recursive: true })
  writeFileSync(join(folder('copy'), '1/model.neff'), neffOf('identity'))
  writeFileSync(
    join(folder('copy'), 'config.pbtxt'),
    `backend: "neuron"
max_batch_size: ${ROWS}
dynamic_batching { }
instance_group [{ kind: KIND_MODEL count: 2 }]
`,
  )

  async function start() {
    buildServer()
    const server = await serve(
      [
        `--model-repository=${repository.folder}`,
        '--model-control-mode=poll',
        '--repository-poll-secs=1',
        `--backend-config=neuron,library=${standIn?.path}`,
      ],
      { STANDIN_CORES: '2' },
    )
    const close = async (): Promise<void> => {
      server.process.kill('SIGTERM')
      // The runtime ends the process with SIGABRT when anything on the device was not freed.
      const { code, log } = await server.ended
      if (code !== 0) throw new Error(`ended with ${code}:\n${log}`)
    }
    return { ...server, close }
  }

  targetSuite('inferentia', start, {
    update: () => repository.addWine(),
    about: () => `Node ${process.version}, a stand-in for libnrt with two cores`,
  })

  describe('its cores', () => {
    let server: Awaited<ReturnType<typeof start>>
    beforeAll(async () => {
      server = await start()
    })
    afterAll(() => server?.close())

    const ask = async (rows: number, value: number): Promise<readonly number[]> => {
      const data = new Array<number>(rows * 4).fill(value)
      const inputs = [{ name: 'X', datatype: 'FP32', shape: [rows, 4], data }]
      const answer = await fetch(`${server.url}/v2/models/copy/infer`, {
        method: 'POST',
        body: JSON.stringify({ inputs }),
      })
      const body = (await answer.json()) as { error?: string; outputs: { data: number[] }[] }
      expect({ status: answer.status, error: body.error }).toEqual({ status: 200 })
      return body.outputs[0]?.data ?? []
    }

    test('inputs and outputs come from the NEFF, and many clients get their own answers', async () => {
      const about = await (await fetch(`${server.url}/v2/models/copy`)).json()
      expect(about).toMatchObject({
        platform: 'neuron',
        inputs: [{ name: 'X', datatype: 'FP32', shape: [-1, 4] }],
        outputs: [{ name: 'Y', datatype: 'FP32', shape: [-1, 4] }],
      })
      await Promise.all(
        Array.from({ length: 64 }, async (_, i) => {
          const rows = 1 + (i % 3)
          expect(await ask(rows, i)).toEqual(new Array(rows * 4).fill(i))
        }),
      )
    })

    test('a model replaced under load answers all along, then with the new file', async () => {
      let done = false
      const clients = Array.from({ length: 4 }, async () => {
        while (!done)
          expect([
            [1, 1, 1, 1],
            [2, 2, 2, 2],
          ]).toContainEqual(await ask(1, 1))
      })
      const file = join(folder('copy'), '1/model.neff')
      writeFileSync(`${file}.new`, neffOf('double'))
      renameSync(`${file}.new`, file)
      await expect
        .poll(() => ask(1, 1), { timeout: 50_000 })
        .toEqual([2, 2, 2, 2])
        .finally(() => {
          done = true
        })
      await Promise.all(clients)
    })

    test('metrics tell what the cores did and what they hold', async () => {
      const text = await (await fetch(server.metricsUrl)).text()
      for (const core of [0, 1]) {
        expect(text).toMatch(
          new RegExp(`^nereid_neuron_executions_total\\{core="${core}"\\} [1-9]`, 'm'),
        )
        expect(text).toContain(`nereid_neuron_models{core="${core}"} 1`)
        // Two tensors of 8 × 4 FP32.
        expect(text).toContain(`nereid_neuron_memory_used_bytes{core="${core}"} 256`)
      }
      expect(text).toContain('nereid_neuron_failures_total{core="0"} 0')
    })
  })
})
