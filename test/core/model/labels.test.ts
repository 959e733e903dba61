import { describe, expect, it } from 'vitest'
import { MAX_LABEL_FILE_BYTES, MAX_LABEL_LINES } from '../../../core/model/labels.ts'
import { createRepository, fakeConfig, modelFiles, startServer } from '../repository/harness.ts'

const CONFIG = fakeConfig().replace('name: "OUTPUT0"', 'name: "OUTPUT0" label_filename: "l.txt"')

async function start(labels: string | undefined) {
  const { server } = await startServer({
    repositories: [
      createRepository({
        ...modelFiles('m', { config: CONFIG }),
        ...(labels === undefined ? {} : { 'm/l.txt': labels }),
      }),
    ],
  })
  return server
}

async function reason(labels: string | undefined): Promise<string> {
  return (await (await start(labels)).index(false))[0]?.reason ?? ''
}

describe('label files', () => {
  it('give an output one label a line', async () => {
    const server = await start('cat\n\nkühe\n')
    expect(server.model('m', '').labels('OUTPUT0')).toEqual(['cat', '', 'kühe'])
    expect(server.model('m', '').labels('OUTPUT1')).toBeUndefined()
  })

  it('may lack the end of the last line, and may be empty', async () => {
    expect((await start('cat\ndog')).model('m', '').labels('OUTPUT0')).toEqual(['cat', 'dog'])
    expect((await start('')).model('m', '').labels('OUTPUT0')).toEqual([])
  })

  it('must be there', async () => {
    expect(await reason(undefined)).toContain(
      "label file 'l.txt' of output 'OUTPUT0' does not exist",
    )
  })

  it('end at a number of lines and at a size', async () => {
    expect(await reason('\n'.repeat(MAX_LABEL_LINES))).toBe('')
    expect(await reason('\n'.repeat(MAX_LABEL_LINES + 1))).toContain('the limit is 1000000')
    expect(await reason('x'.repeat(MAX_LABEL_FILE_BYTES))).toBe('')
    expect(await reason('x'.repeat(MAX_LABEL_FILE_BYTES + 1))).toContain('the limit is 16777216')
  })
})
