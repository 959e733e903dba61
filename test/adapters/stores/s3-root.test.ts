import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { s3CredentialsFor } from '../../../adapters/stores/cloud-credentials.ts'
import { connectS3 } from '../../../adapters/stores/s3-client.ts'
import { parseS3Root } from '../../../adapters/stores/s3-root.ts'

test.each([
  ['s3://bucket', '', 'bucket', ''],
  ['s3://bucket/', '', 'bucket', ''],
  ['s3://my.bucket-1/team/models/', '', 'my.bucket-1', 'team/models'],
  ['s3://bucket//a//b', '', 'bucket', 'a/b'],
  ['s3://https://s3.example.org/bucket/a', 'https://s3.example.org', 'bucket', 'a'],
  ['s3://http://127.0.0.1:9000/bucket', 'http://127.0.0.1:9000', 'bucket', ''],
  ['s3://localhost:4566/bucket/a', 'http://localhost:4566', 'bucket', 'a'],
  ['s3://https://[::1]:9000/bucket', 'https://[::1]:9000', 'bucket', ''],
])('%s is endpoint %j, bucket %j, prefix %j', (root, endpoint, bucket, prefix) => {
  expect(parseS3Root(root)).toMatchObject({ endpoint, bucket, prefix })
})

test.each([
  's3://',
  's3:///models',
  's3://UPPER/models',
  's3://a',
  's3://https://host:9000',
  's3://https://user:secret@host/bucket',
  's3://https://host:99999/bucket',
  's3://bucket/../other',
  's3://bucket/a/%2e%2e/b',
])('%s is refused', (root) => {
  expect(() => parseS3Root(root)).toThrow(/^invalid (model repository|path segment)/)
})

describe('Triton’s file of cloud credentials', () => {
  let folder = ''
  let file = ''
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'nereid-credentials-'))
    file = join(folder, 'credentials.json')
    const s3 = {
      '': { key_id: 'any', secret_key: 's0', region: 'eu-west-1' },
      's3://bucket': { key_id: 'bucket', secret_key: 's1', session_token: 't' },
      's3://bucket/team': { key_id: 'team', secret_key: 's2' },
    }
    writeFileSync(file, JSON.stringify({ gs: { '': '/path' }, s3 }))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it('gives a repository the credentials of its longest prefix', () => {
    expect(s3CredentialsFor('s3://bucket/team/a', file)?.keyId).toBe('team')
    expect(s3CredentialsFor('s3://bucket/other', file)?.sessionToken).toBe('t')
    expect(s3CredentialsFor('s3://elsewhere', file)).toMatchObject({
      keyId: 'any',
      secretKey: 's0',
    })
  })

  it('wins over the environment', async () => {
    const env = {
      TRITON_CLOUD_CREDENTIAL_PATH: file,
      AWS_ACCESS_KEY_ID: 'environment',
      AWS_SECRET_ACCESS_KEY: 'e',
      AWS_DEFAULT_REGION: 'us-west-2',
    }
    const { client } = await connectS3(parseS3Root('s3://elsewhere/x'), env)
    expect(await client.config.credentials()).toMatchObject({ accessKeyId: 'any' })
    expect(await client.config.region()).toBe('eu-west-1')
    client.destroy()
    const { TRITON_CLOUD_CREDENTIAL_PATH: _, ...without } = env
    const plain = await connectS3(parseS3Root('s3://elsewhere/x'), without)
    expect(await plain.client.config.credentials()).toMatchObject({ accessKeyId: 'environment' })
    expect(await plain.client.config.region()).toBe('us-west-2')
    plain.client.destroy()
  })

  it('that cannot be read is named without its content', () => {
    const broken = join(folder, 'broken.json')
    writeFileSync(broken, '{"s3": {"": {"secret_key": "hunter2"')
    expect(() => s3CredentialsFor('s3://bucket', broken)).toThrow(
      `failed to read cloud credentials from '${broken}': it is not valid JSON`,
    )
    expect(() => s3CredentialsFor('s3://bucket', join(folder, 'none'))).toThrow(/ENOENT/)
  })
})
