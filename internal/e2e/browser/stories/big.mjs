// Figures of the list of phones with as many phones as there are; no test, started by
// hand (docs/BENCHMARKS.md):
//   node stories.mjs big http://127.0.0.1:8080 /usr/bin/chromium DIR < data/admin.key
import { entered, picture, shown } from '../kit.mjs'

const median = (list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)]
const say = (what, list) => process.stdout.write(`${what}: median ${Math.round(median(list))} ms, most ${Math.round(Math.max(...list))} ms, of ${list.length}\n`)
const rounds = 15

export default async function big() {
  const page = await entered()
  const rows = page.locator('tbody tr')
  // From the key or the click to the painted list, in the page's own clock.
  const timed = (act, done) => page.evaluate(`(async () => {
    const began = performance.now();
    ${act};
    while (!(${done})) await new Promise(requestAnimationFrame)
    await new Promise((r) => requestAnimationFrame(() => setTimeout(r)))
    return performance.now() - began
  })()`)
  const type = (word) => `const i = document.querySelector('[name=q]'); i.value = ${JSON.stringify(word)}; i.dispatchEvent(new Event('input', { bubbles: true }))`
  const first = (word) => `document.querySelector('tbody tr:last-child')?.textContent.includes(${JSON.stringify(word)}) && location.hash.includes(${JSON.stringify(word)})`

  const opened = [], searched = [], emptied = [], more = []
  for (let i = 0; i < rounds; i++) {
    await shown(page, '/jobs')
    opened.push(await timed("location.hash = '#/phones'", "document.querySelectorAll('.phones tbody tr').length === 100"))
  }
  for (let i = 0; i < rounds; i++) {
    const word = String(104711 + 37 * i)
    searched.push(await timed(type(word), first(word)))
    emptied.push(await timed(type(''), "document.querySelectorAll('tbody tr').length === 100"))
  }
  for (let i = 0; i < 9; i++) more.push(await timed("[...document.querySelectorAll('main button')].find((b) => b.textContent === 'Show more').click()", `document.querySelectorAll('tbody tr').length === ${200 + 100 * i}`))
  say('the list opens', opened)
  say('a search is answered, of which 200 ms wait for the next key', searched)
  say('the whole list is back', emptied)
  say('100 more', more)
  process.stdout.write(`rows ${await rows.count()}, heap of the page ${Math.round(await page.evaluate(() => performance.memory.usedJSHeapSize) / 1e6)} MB\n`)
  await picture(page, 'big', false)
}
