import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe } from 'vitest'
import { modelCache } from '../../../adapters/stores/cache.ts'
import { remoteStore } from '../../../adapters/stores/remote.ts'
import { s3Files } from '../../../adapters/stores/s3.ts'
import { STORE_FILES, storeContract } from '../../contract/store.ts'
import { NO_S3, type TestS3, testS3 } from '../../helpers/s3-server.ts'
import { testLog } from '../../helpers/test-log.ts'

if (NO_S3 !== undefined) console.log(`skipped: the store on S3: ${NO_S3}`)

describe.skipIf(NO_S3 !== undefined)('the store on S3', () => {
  let s3: TestS3
  let folder = ''
  let count = 0
  beforeAll(async () => {
    s3 = await testS3()
    folder = await mkdtemp(join(tmpdir(), 'nereid-s3-'))
  })
  afterAll(async () => {
    await s3.stop()
    await rm(folder, { recursive: true, force: true })
  })

  storeContract('remoteStore on S3', async () => {
    const prefix = `contract-${count++}`
    for (const [path, content] of STORE_FILES) await s3.put(`${prefix}/${path}`, content)
    const { log } = testLog()
    const files = s3Files({ root: `${s3.root}/${prefix}`, env: s3.env, log })
    return {
      store: remoteStore({ files, local: modelCache({ folder, maxBytes: 0, log }) }),
      replace: (path, content) => s3.put(`${prefix}/${path}`, content),
    }
  })
})
