import { mkdtempSync, readdirSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MODEL_FOLDER, type ServeDisk, servePlan } from '../../sagemaker/serve-arguments.ts'

/** What SageMaker runs in a container: the server, with the flags that its environment means. */
const disk: ServeDisk = {
  folders: (path) => entries(path).filter((one) => isDirectory(join(path, one))),
  isFile: (path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true,
  gpus: () => entries('/dev').filter((one) => /^nvidia\d+$/.test(one)).length,
  emptyFolder: () => mkdtempSync(join(tmpdir(), 'nereid-sagemaker-')),
}

function entries(path: string): readonly string[] {
  return isDirectory(path) ? readdirSync(path).sort() : []
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}

// Another folder is for trying it without a container.
const plan = servePlan(process.env, disk, process.env['NEREID_SAGEMAKER_MODEL'] || MODEL_FOLDER)
if (plan.kind === 'problem') {
  process.stderr.write(`ERROR: ${plan.lines.join('\n       ')}\n`)
  process.exitCode = 1
} else {
  for (const note of plan.notes) process.stderr.write(`${note}\n`)
  Object.assign(process.env, plan.env)
  process.argv.splice(2, process.argv.length, ...plan.argv)
  void import('./main.ts')
}
