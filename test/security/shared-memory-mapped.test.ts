import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { onnxBackend } from '../../adapters/backends/onnx.ts'
import { createApp } from '../../adapters/http/app.ts'
import { startHttp } from '../../adapters/http/node/listener.ts'
import { nodeClock } from '../../adapters/platform/clock.ts'
import { posixSharedMemory } from '../../adapters/shared-memory/posix.ts'
import { diskStore } from '../../adapters/stores/disk.ts'
import { createLog } from '../../core/log.ts'
import { DEFAULT_PROTOCOL_LIMITS as limits } from '../../core/protocol/limits.ts'
import { createServer } from '../../core/server.ts'
import { createSharedMemory } from '../../core/shared-memory/regions.ts'
import { NO_DEV_SHM, shmObject } from '../helpers/dev-shm.ts'
import { rawConnection } from '../helpers/raw-http.ts'

const RECORDED = fileURLToPath(new URL('../fixtures/recorded/repository', import.meta.url))
const FLOATS = 64 * 1024
const BYTES = FLOATS * 4
const CLIENTS = 6
const ROUNDS = Number(process.env['NEREID_SHM_ROUNDS'] ?? 150)
const collect = (globalThis as { gc?: () => void }).gc

it.skipIf(NO_DEV_SHM !== undefined || collect === undefined)(
  'mapped regions come and go while ONNX Runtime reads them: right bytes, and nothing touches a page that is gone',
  async () => {
    const clock = nodeClock()
    const log = createLog({ write: () => {}, epochUs: () => 0, pid: 1 })
    const server = await createServer({
      platform: { clock, log },
      stores: [diskStore({ root: RECORDED })],
      backends: [onnxBackend({ clock, inline: 'never' })],
      options: { modelControlMode: 'explicit', loadModels: ['identity_fp32'] },
    })
    const host = await posixSharedMemory({ trustClients: true })
    const sharedMemory = createSharedMemory({ host, enabled: true })
    const app = createApp({ server, log, limits, sharedMemory })
    const http = { server, app, log, limits, sharedMemory, address: '127.0.0.1', port: 0 }
    const listener = await startHttp(http)

    let answered = 0
    const client = async (index: number): Promise<void> => {
      const object = shmObject(`mapped-${index}`, 2 * BYTES)
      const name = `r${index}`
      const part = (offset: number): object => ({
        shared_memory_region: name,
        shared_memory_offset: offset,
        shared_memory_byte_size: BYTES,
      })
      const body = JSON.stringify({
        inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1, FLOATS], parameters: part(0) }],
        outputs: [{ name: 'OUTPUT0', parameters: part(BYTES) }],
      })
      const request = `POST /v2/models/identity_fp32/infer HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`
      const connection = await rawConnection(listener.port)
      const floats = new Float32Array(FLOATS)
      const bytes = new Uint8Array(floats.buffer)
      for (let round = 0; round < ROUNDS; round++) {
        floats.fill(index * ROUNDS + round)
        object.write(0, bytes)
        sharedMemory.registerSystem({
          name,
          key: object.key,
          offset: 0,
          byteSize: 2 * BYTES,
          owner: '',
        })
        connection.send(request)
        // In flight, done or not yet decoded: all of it happens.
        for (let turn = 0; turn < round % 8; turn++) {
          await new Promise((resolve) => setImmediate(resolve))
        }
        sharedMemory.unregisterSystem(name, '')
        if (round % 10 === 0) collect?.()
        const { status } = await connection.answer()
        expect([200, 404]).toContain(status)
        if (status !== 200) continue
        answered++
        expect(object.read(BYTES, BYTES).equals(Buffer.from(bytes))).toBe(true)
      }
      connection.socket.destroy()
      object.remove()
    }
    await Promise.all(Array.from({ length: CLIENTS }, (_, index) => client(index)))
    expect(answered).toBeGreaterThan((CLIENTS * ROUNDS) / 10)
    await listener.close(1000)
    await server.close(1000)
  },
)
