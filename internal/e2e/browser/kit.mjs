// What the stories have in common: a headless Chromium, pages of it that are watched
// for everything that must never happen, and pictures of each step.
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { chromium } from 'playwright-core'

const [, , , at, executablePath, to] = process.argv
export const origin = at
export const dir = to
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
export const key = (await lines.next()).value
export const faults = []
export const fail = (what) => { faults.push(what); process.stderr.write(`${what}\n`) }
export const want = (got, expected, what) => { if (got !== expected) fail(`${what}: ${JSON.stringify(got)}, want ${JSON.stringify(expected)}`) }
/** need asks the test for something outside of the page and returns its answer. */
export const need = async (word) => { process.stdout.write(`need ${word}\n`); return (await lines.next()).value }

export const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] })

/** expected are the statuses, by path, that a story brings about; Chromium tells of every
 * answer that is no success. */
export const expected = [[/./, 422], [/\/v1\/pbx\/session$/, 401]]

// POSTs that change nothing need no key.
const harmless = /\/v1\/pbx\/(session|firmware|templates\/(validate|preview|impact))$/

/** watch follows what a page asks for: nothing but its own origin, an Idempotency-Key with
 * every POST, no breach of the policy, no error. */
function watch(page) {
  page.on('pageerror', (e) => fail(`exception at ${page.url()}: ${e.stack}`))
  page.on('console', (m) => {
    const status = Number(m.text().match(/status of (\d+)/)?.[1])
    const known = expected.some(([path, code]) => code === status && path.test(m.location().url)) || (page.offline && /ERR_|EventSource/.test(m.text()))
    if (m.type() === 'error' && !known) fail(`console at ${page.url()}: ${m.text()} ${m.location().url}`)
  })
  page.on('request', (r) => {
    if (!r.url().startsWith(`${origin}/`) && !r.url().startsWith('blob:') && !page.elsewhere) fail(`${page.url()} asks for ${r.url()}`)
    if (r.method() === 'PATCH' && !r.headers()['if-match']) fail(`${r.url()} without If-Match`)
    if (r.method() === 'POST' && !harmless.test(r.url()) && !page.elsewhere && !r.headers()['idempotency-key']) fail(`${r.url()} without an Idempotency-Key`)
  })
}

export async function open(options = {}) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 900 }, ...options })
  context.setDefaultTimeout(30000)
  await context.addInitScript(() => document.addEventListener('securitypolicyviolation', (e) => console.error(`policy: ${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber}`)))
  const page = await context.newPage()
  watch(page)
  await page.goto(origin)
  return page
}

let pictures = 0
export const picture = (page, name, whole = true) => page.screenshot({ path: join(dir, `${String(++pictures).padStart(2, '0')}-${name}.png`), fullPage: whole })

export async function login(page, with_ = key) {
  await page.getByLabel('API key').fill(with_)
  await page.getByRole('button', { name: 'Log in' }).click()
  await page.locator('#top').waitFor()
  await page.locator('main h1').waitFor()
}
export const entered = async (options) => { const page = await open(options); await login(page); return page }
export const go = (page, hash) => page.evaluate((h) => { location.hash = h }, hash)
/** shown goes to a page and waits until it has what it shows at first. */
export async function shown(page, hash) {
  await go(page, hash)
  await page.locator('main h1').waitFor()
  await page.waitForFunction(() => !document.querySelector('main > [aria-busy]'))
}
export const dialogOf = (page) => page.getByRole('dialog')
/** api calls the API with the session of the page. */
export const api = (page, path) => page.evaluate(async (p) => (await fetch(`/v1/pbx${p}`)).json(), path)
export const toastOf = (page, words) => page.locator('.toast').getByText(words).first()

const axe = readFileSync(new URL('./node_modules/axe-core/axe.min.js', import.meta.url), 'utf8')
/** check looks at what is shown: no serious finding of axe-core, nothing wider than the
 * screen; and keeps a picture. */
export async function check(page, name, whole = true) {
  if (!await page.evaluate(() => !!window.axe)) await page.evaluate(axe) // from outside of the page, whose policy lets it load nothing
  await page.evaluate(() => Promise.all(document.getAnimations().map((a) => a.finished.catch(() => {}))))
  const found = await page.evaluate(async () => (await window.axe.run()).violations.filter((v) => ['serious', 'critical'].includes(v.impact)).map((v) => `${v.id}: ${v.nodes.map((n) => `${n.target.join(' ')} ${n.any[0]?.message ?? ''}`).join(' | ')}`))
  found.forEach((f) => fail(`${name}: ${f}`))
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
  if (over > 0) fail(`${name}: ${over} pixels wider than the screen`)
  await picture(page, name, whole)
}
