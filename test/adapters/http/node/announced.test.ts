import { afterEach, expect, test } from 'vitest'
import { OverloadGate } from '../../../../core/overload/gate.ts'
import { inferBytes, type RawConnection, rawConnection } from '../../../helpers/raw-http.ts'
import { type Serving, serve } from '../../../helpers/serve.ts'
import { until } from '../../../helpers/until.ts'

const MIB = 1024 * 1024
/** The fields that the fast route leaves to the app. */
const WAYS = { fast: '', app: 'Accept-Encoding: gzip\r\n' } as const

let serving: Serving
const connections: RawConnection[] = []
afterEach(async () => {
  for (const { socket } of connections.splice(0)) socket.destroy()
  await serving.close()
})

test.each(Object.keys(WAYS) as (keyof typeof WAYS)[])(
  'a body that is announced and does not come takes little of the memory that others may have: %s',
  async (way) => {
    const gate = new OverloadGate({ memoryBudget: 64 * MIB })
    serving = await serve({ doors: { gates: gate } })
    const open = async (length: number, body = 0): Promise<RawConnection> => {
      const connection = await rawConnection(serving.port)
      connections.push(connection)
      connection.send(
        `POST /v2/models/echo/infer HTTP/1.1\r\nHost: x\r\n${WAYS[way]}Content-Length: ${length}\r\n\r\n`,
      )
      connection.send(Buffer.alloc(body, ' '))
      return connection
    }
    for (let i = 0; i < 20; i++) await open(40 * MIB, 10)
    await until(() => gate.inflight === 20)
    expect(gate.bytes).toBeLessThanOrEqual(20 * MIB)

    const other = await rawConnection(serving.port)
    connections.push(other)
    other.send(inferBytes('echo', [1, 2]))
    expect((await other.answer()).status).toBe(200)

    await open(30 * MIB, 10 * MIB)
    await until(() => gate.bytes >= 30 * MIB)
    // More than there is in all is refused before it comes.
    expect((await (await open(64 * MIB)).answer()).status).toBe(503)
    for (const { socket } of connections.splice(0)) socket.destroy()
    await until(() => gate.inflight === 0)
    expect(gate.bytes).toBe(0)
  },
)
