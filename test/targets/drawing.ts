import type { Page } from 'puppeteer-core'

type Point = readonly [x: number, y: number]

const circle = Array.from({ length: 33 }, (_, i): Point => {
  const angle = (i / 16) * Math.PI
  return [0.5 + 0.22 * Math.cos(angle), 0.5 + 0.35 * Math.sin(angle)]
})

/** How digits are drawn, stroke by stroke, in units of the canvas. */
export const STROKES: Readonly<Record<string, readonly (readonly Point[])[]>> = {
  zero: [circle],
  one: [
    [
      [0.38, 0.3],
      [0.52, 0.15],
      [0.52, 0.85],
    ],
  ],
  two: [
    [
      [0.28, 0.3],
      [0.38, 0.17],
      [0.6, 0.17],
      [0.7, 0.32],
      [0.6, 0.5],
      [0.28, 0.85],
      [0.75, 0.85],
    ],
  ],
  three: [
    [
      [0.28, 0.2],
      [0.5, 0.14],
      [0.7, 0.28],
      [0.62, 0.44],
      [0.45, 0.48],
      [0.66, 0.54],
      [0.73, 0.7],
      [0.55, 0.86],
      [0.27, 0.8],
    ],
  ],
  four: [
    [
      [0.42, 0.12],
      [0.25, 0.6],
      [0.78, 0.6],
    ],
    [
      [0.62, 0.35],
      [0.6, 0.88],
    ],
  ],
  five: [
    [
      [0.7, 0.14],
      [0.35, 0.14],
      [0.32, 0.45],
      [0.55, 0.42],
      [0.72, 0.6],
      [0.6, 0.83],
      [0.28, 0.84],
    ],
  ],
  six: [
    [
      [0.62, 0.12],
      [0.38, 0.4],
      [0.3, 0.68],
      [0.45, 0.87],
      [0.66, 0.8],
      [0.68, 0.62],
      [0.5, 0.53],
      [0.32, 0.66],
    ],
  ],
  seven: [
    [
      [0.25, 0.2],
      [0.75, 0.2],
      [0.42, 0.85],
    ],
  ],
  eight: [
    [
      [0.66, 0.22],
      [0.5, 0.13],
      [0.35, 0.25],
      [0.5, 0.46],
      [0.68, 0.68],
      [0.52, 0.87],
      [0.33, 0.7],
      [0.5, 0.47],
      [0.66, 0.25],
    ],
  ],
  nine: [
    [
      [0.68, 0.32],
      [0.52, 0.46],
      [0.33, 0.35],
      [0.42, 0.16],
      [0.64, 0.17],
      [0.68, 0.35],
      [0.6, 0.87],
    ],
  ],
}

/** Draws on an empty canvas with the mouse, waits until the page says what it is, and returns how long the answer took. */
export async function draw(page: Page, name: string): Promise<string> {
  await page.click('#clear')
  const box = await (await page.$('#drawing'))!.boundingBox()
  for (const stroke of STROKES[name] ?? []) {
    const [start, ...rest] = stroke.map(([x, y]): [number, number] => [
      box!.x + x * box!.width,
      box!.y + y * box!.height,
    ])
    await page.mouse.move(...start!)
    await page.mouse.down()
    for (const point of rest) await page.mouse.move(...point)
    await page.mouse.up()
  }
  const told = (name: string): boolean => document.getElementById('answer')?.textContent === name
  await page.waitForFunction(told, { timeout: 20_000 }, name)
  return text(page, 'latency')
}

export function text(page: Page, id: string): Promise<string> {
  return page.$eval(`#${id}`, (found) => found.textContent ?? '')
}
