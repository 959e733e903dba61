import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { machineOf } from '../../infra/edge/elf.ts'
import { ROOT } from './child.ts'
import { environmentOf, startEdge } from './edge-process.ts'
import { targetRepository } from './repository.ts'
import { targetSuite } from './suite.ts'

const EDGE = join(ROOT, '.cache/edge')
const NAME = 'nereid-edge-linux-arm64'
const EMULATOR = 'qemu-aarch64-static'

/** Why nothing for arm64 can run here; undefined = it can. */
function missing(): string | undefined {
  if (existsSync(join(EDGE, 'missing'))) return readFileSync(join(EDGE, 'missing'), 'utf8').trim()
  return existsSync(join(EDGE, 'done')) ? undefined : 'test/targets/tools/edge.sh was not run'
}
const reason = missing()
if (reason !== undefined) console.info(`target edge: skipped, ${reason}`)

describe.skipIf(reason !== undefined)('the package for arm64 devices', () => {
  const device = mkdtempSync(join(tmpdir(), 'nereid-edge-'))
  const repository = targetRepository()
  const tarball = join(ROOT, `dist/edge-package/${NAME}.tar.gz`)
  const path = (name: string): string => join(device, name)
  const install = (): string =>
    execFileSync('sh', [path(`${NAME}/install.sh`)], {
      env: { ...process.env, DESTDIR: device },
      encoding: 'utf8',
    })

  beforeAll(() => {
    execFileSync(process.execPath, ['--import', 'tsx', 'infra/edge/pack.ts'], {
      cwd: ROOT,
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    execFileSync('tar', ['-xzf', tarball, '-C', device])
    install()
  })
  afterAll(() => {
    rmSync(device, { recursive: true, force: true })
    repository.remove()
  })

  const settings = (): Record<string, string> => environmentOf(path('etc/nereid/nereid.env'))
  const start = () =>
    startEdge(
      [
        ...[EMULATOR, '-L', join(EDGE, 'root')],
        ...[path('opt/nereid/bin/node'), path('opt/nereid/dist/main.js')],
        `--model-repository=${repository.folder}`,
        `--repository-cache-directory=${path('cache')}`,
        // An emulator is late for everything.
        '--overload-lag-ms=0',
      ],
      settings(),
    )

  test('Node and libraries in it are for arm64 alone', () => {
    const files = execFileSync('find', [path('opt'), '-type', 'f'], { encoding: 'utf8' })
    const machines = files
      .trim()
      .split('\n')
      .map((file) => machineOf(readFileSync(file)))
      .filter((machine) => machine !== undefined)
    expect(machines.length).toBeGreaterThan(2)
    expect(new Set(machines)).toEqual(new Set(['arm64']))
  })

  test('an update turns to the new version in one step, keeps the old one and the settings', () => {
    const before = path('opt/nereid')
    const first = execFileSync('readlink', [before], { encoding: 'utf8' }).trim()
    execFileSync('sh', ['-c', `echo NEREID_LOG_VERBOSE=0 >> ${path('etc/nereid/nereid.env')}`])
    install()
    const second = execFileSync('readlink', [before], { encoding: 'utf8' }).trim()
    expect([first, second].sort()).toEqual(['nereid.versions/a', 'nereid.versions/b'])
    for (const version of [first, second]) {
      expect(existsSync(path(`opt/${version}/dist/main.js`))).toBe(true)
    }
    expect(settings()['NEREID_LOG_VERBOSE']).toBe('0')
  })

  const verifier = spawnSync('systemd-analyze', ['--version']).status === 0
  test.skipIf(!verifier)('systemd has nothing against its unit (skipped without systemd)', () => {
    const unit = readFileSync(path('etc/systemd/system/nereid.service'), 'utf8')
    // Neither this machine nor its root is the device.
    const here = unit.replace('=/opt/nereid/bin/node', '=/bin/true').replace(/^Doc.*$/m, '')
    writeFileSync(path('nereid.service'), here)
    const { stderr, status } = spawnSync(
      'systemd-analyze',
      ['verify', '--recursive-errors=no', path('nereid.service')],
      { encoding: 'utf8' },
    )
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 })
  })

  targetSuite('edge', start, {
    about: () =>
      `${EMULATOR}, ${(statSync(tarball).size / 1e6).toFixed(1)} MB packed, settings for little memory`,
  })
})
