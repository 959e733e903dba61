import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * Writes the message types of `infra/proto` to `adapters/grpc/messages`. Needs `protoc` on the PATH; the generator, which
 * nothing else needs, comes through npx at the version of the run-time library.
 */
const ROOT = fileURLToPath(new URL('..', import.meta.url))
const PROTO = join(ROOT, 'infra/proto')
const OUT = join(ROOT, 'adapters/grpc/messages')
const GENERATOR = '@bufbuild/protoc-gen-es@2.17.0'
const FILES = [
  'model_config.proto',
  'grpc_service.proto',
  'grpc/health/v1/health.proto',
  'grpc/reflection/v1/reflection.proto',
  'grpc/reflection/v1alpha/reflection.proto',
]

mkdirSync(OUT, { recursive: true })
const { status, error } = spawnSync(
  'npx',
  [
    ...['--yes', `--package=${GENERATOR}`, '--', 'protoc', `--proto_path=${PROTO}`],
    `--es_out=${OUT}`,
    '--es_opt=target=ts,import_extension=ts,erasable_syntax=true',
    ...FILES,
  ],
  { cwd: ROOT, stdio: 'inherit' },
)
if (error !== undefined) throw error
process.exitCode = status ?? 1
