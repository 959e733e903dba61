import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { s3Files } from '../../adapters/stores/s3.ts'
import { silentLog } from '../adapters/backends/onnx-fixtures.ts'

const asked: string[] = []
const trap = createServer((request, response) => {
  asked.push(request.url ?? '')
  response.end()
})
/** What an S3 endpoint says that would rather have somebody else asked. */
let elsewhere: { readonly status: number; readonly headers: Record<string, string> }
let redirected = 0
const endpoint = createServer((_, response) => {
  redirected++
  response.writeHead(elsewhere.status, elsewhere.headers)
  const { port } = trap.address() as AddressInfo
  response.end(
    `<?xml version="1.0"?><Error><Code>PermanentRedirect</Code><Endpoint>127.0.0.1:${port}</Endpoint><Message>go</Message></Error>`,
  )
})
const urlOf = (server: typeof trap): string =>
  `http://127.0.0.1:${(server.address() as AddressInfo).port}`

beforeAll(async () => {
  await Promise.all([trap, endpoint].map((one) => once(one.listen(0, '127.0.0.1'), 'listening')))
})
afterAll(() => {
  for (const server of [trap, endpoint]) {
    server.closeAllConnections()
    server.close()
  }
})

test.each([301, 302, 307, 308])(
  'an S3 endpoint that answers %i makes the server ask nobody else, instance metadata least',
  async (status) => {
    const env = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 's', AWS_REGION: 'us-east-1' }
    for (const location of [urlOf(trap), 'http://169.254.169.254/latest/meta-data/']) {
      elsewhere = {
        status,
        headers: {
          location,
          'x-amz-bucket-region': 'eu-west-1',
          'content-type': 'application/xml',
        },
      }
      const files = s3Files({ root: `s3://${urlOf(endpoint)}/bucket/models`, env, log: silentLog })
      const before = redirected
      await expect(files.list('')).rejects.toThrow(/cannot read/)
      expect(redirected).toBeGreaterThan(before)
      await files.close?.()
    }
    expect(asked).toEqual([])
  },
)
