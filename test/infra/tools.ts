import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT: string = fileURLToPath(new URL('../..', import.meta.url))
const CACHE = join(ROOT, '.cache/container')
const SCHEMAS = join(CACHE, 'schemas')
export const KUBERNETES = '1.34.0'

/** Path of a program that `test/targets/tools/container.sh` installs; undefined, and said so, where it is not there. */
export function tool(name: string): string | undefined {
  const path = join(CACHE, 'bin', name)
  if (existsSync(path)) return path
  console.log(`skipped: ${name} is not installed (test/targets/tools/container.sh installs it)`)
  return undefined
}

/** Runs a program in the root of the repository; throws with all it wrote when it fails. */
export function run(program: string, args: readonly string[], input = ''): string {
  try {
    return execFileSync(program, args, { cwd: ROOT, input, encoding: 'utf8', stdio: 'pipe' })
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string }
    throw new Error(`${program} ${args.join(' ')}\n${stdout}${stderr}`)
  }
}

/** Checks manifests against the types of Kubernetes and of the operators they are for; unknown fields are errors. */
export function validate(kubeconform: string, manifests: string): string {
  const places = [
    `${SCHEMAS}/{{.NormalizedKubernetesVersion}}/{{.ResourceKind}}{{.KindSuffix}}.json`,
    `${SCHEMAS}/custom/{{.Group}}_{{.ResourceKind}}_{{.ResourceAPIVersion}}.json`,
  ].flatMap((place) => ['-schema-location', place])
  const flags = ['-strict', '-summary', '-kubernetes-version', KUBERNETES]
  return run(kubeconform, [...flags, ...places], manifests)
}
