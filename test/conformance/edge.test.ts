import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe } from 'vitest'
import { ROOT } from '../targets/child.ts'
import { startEdge } from '../targets/edge-process.ts'
import type { StartedTarget } from '../targets/suite.ts'
import { onCopy, recordedOn } from './recorded-on.ts'

const EDGE = join(ROOT, '.cache/edge')
const NAME = 'nereid-edge-linux-arm64'
const skip = !existsSync(join(EDGE, 'done')) || existsSync(join(EDGE, 'missing'))
if (skip) console.log('recorded requests on arm64: skipped, test/targets/tools/edge.sh was not run')

describe.skipIf(skip)('the recorded requests on an emulated arm64 device', () => {
  const device = mkdtempSync(join(tmpdir(), 'nereid-edge-'))
  const path = (name: string): string => join(device, name)
  beforeAll(() => {
    execFileSync(process.execPath, ['--import', 'tsx', 'infra/edge/pack.ts'], {
      cwd: ROOT,
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    const tarball = join(ROOT, `dist/edge-package/${NAME}.tar.gz`)
    execFileSync('tar', ['-xzf', tarball, '-C', device])
    execFileSync('sh', [path(`${NAME}/install.sh`)], { env: { ...process.env, DESTDIR: device } })
  })
  afterAll(() => rmSync(device, { recursive: true, force: true }))

  const start = (): Promise<StartedTarget> =>
    onCopy((repository) =>
      startEdge(
        [
          ...['qemu-aarch64-static', '-L', join(EDGE, 'root')],
          ...[path('opt/nereid/bin/node'), path('opt/nereid/dist/main.js')],
          `--model-repository=${repository}`,
          `--repository-cache-directory=${path('cache')}`,
          '--http-address=127.0.0.1',
          '--grpc-address=127.0.0.1',
          '--model-control-mode=explicit',
          '--load-model=*',
          '--cache-config=local,size=1048576',
          '--allow-client-shm=true',
          '--overload-lag-ms=0',
        ],
        // Models loaded on demand, as its own settings have it, are not loaded by request.
        {},
      ),
    )
  // Their queue keeps them for 500 ms at most, which an emulated processor may be late for.
  const late = 'a request may wait 500 ms at most'
  recordedOn('edge, arm64 under qemu', start, [], {
    'timeout and priority': late,
    'priority beyond the levels': late,
  })
})
