import { spawnSync } from 'node:child_process'
import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { readMaterial, tlsSource } from '../../../adapters/tls/material.ts'
import { tlsMetrics } from '../../../adapters/tls/metrics.ts'
import { watchFiles } from '../../../adapters/tls/watch-files.ts'
import { createLog } from '../../../core/log.ts'
import { TestAuthority, type TestCertificate } from '../../helpers/certificates.ts'

const missing = spawnSync('openssl', ['version']).status !== 0
if (missing) console.warn('skipped: certificates need the openssl program')

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'material-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

describe('watched files', () => {
  const change = async (make: () => void, path: string): Promise<void> => {
    await new Promise<void>((resolve) => {
      const watch = watchFiles([path], () => {
        watch.close()
        resolve()
      })
      make()
    })
  }

  test('a write, a rename over the file and a link that is moved are all seen', async () => {
    const at = (name: string): string => join(folder, name)
    writeFileSync(at('a'), 'one')
    await change(() => writeFileSync(at('a'), 'two, longer'), at('a'))
    writeFileSync(at('b'), 'two, longer')
    await change(() => renameSync(at('b'), at('a')), at('a'))
    writeFileSync(at('c'), 'three')
    symlinkSync(at('a'), at('link'))
    symlinkSync(at('c'), at('next'))
    await change(() => renameSync(at('next'), at('link')), at('link'))
    await change(() => rmSync(at('c')), at('link'))
  })

  test('SIGHUP looks at once, and not after the watch is closed', () => {
    let seen = 0
    const before = process.listenerCount('SIGHUP')
    const watch = watchFiles([join(folder, 'absent')], () => seen++)
    process.emit('SIGHUP')
    watch.close()
    expect(process.listenerCount('SIGHUP')).toBe(before)
    expect(seen).toBe(1)
  })
})

describe.skipIf(missing)('TLS files', () => {
  let first: TestCertificate
  let second: TestCertificate
  beforeAll(() => {
    const authority = new TestAuthority()
    first = authority.sign('/CN=first', 'DNS:localhost')
    second = authority.sign('/CN=second', 'DNS:localhost')
  })

  const put = ({ cert, key }: TestCertificate) => {
    const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem'), ca: '' }
    writeFileSync(files.cert, cert)
    writeFileSync(files.key, key)
    return files
  }

  test('a pair that does not fit, is no PEM or is not there is refused with the file and no content', () => {
    expect(readMaterial(put(first)).cert).toBe(first.cert)
    expect(() => readMaterial(put({ cert: first.cert, key: second.key }))).toThrow('is not that of')
    const files = put({ cert: first.cert, key: 'canary' })
    let message = ''
    try {
      readMaterial(files)
    } catch (error) {
      message = (error as Error).message
    }
    expect(message).toContain(`${files.key} holds no usable private key`)
    expect(message).not.toContain('canary')
    expect(() => readMaterial({ ...files, cert: 'absent' })).toThrow(
      'cannot read the certificate file',
    )
    expect(() => readMaterial({ ...put(first), ca: files.key })).toThrow(
      'holds no usable certificate',
    )
  })

  test('a good new pair is handed on, a bad one leaves the old in use and is told once', () => {
    const logged: string[] = []
    const log = createLog({ write: (line) => logged.push(line), epochUs: () => 0, pid: 1 })
    let changed = (): void => {}
    const source = tlsSource({
      files: put(first),
      door: 'http',
      log,
      epochMs: Date.now,
      watch: (_paths, call) => {
        changed = call
        return { check: call, close: () => {} }
      },
    })
    const used: string[] = []
    source.onChange(({ cert }) => used.push(cert))
    put({ cert: second.cert, key: first.key })
    changed()
    expect(source.material.cert).toBe(first.cert)
    expect(source.reloadFailed).toBe(true)
    expect(logged.filter((line) => line.includes('the old TLS certificate stays'))).toHaveLength(1)
    put(second)
    changed()
    expect(used).toEqual([second.cert])
    expect(source.material.cert).toBe(second.cert)
    const values = tlsMetrics(new Map([['http', source]])).map(({ family, samples }) => [
      family.name,
      samples[0]?.value,
    ])
    expect(values).toEqual([
      ['nereid_tls_not_after_seconds', source.material.notAfterMs / 1000],
      ['nereid_tls_reload_failed', 0],
    ])
    // These certificates live for two days.
    expect(logged.some((line) => /expires in [12] days/.test(line))).toBe(true)
    source.close()
  })
})
