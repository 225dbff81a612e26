// Drives pages of a headless Chromium. Commands are lines of JSON on standard
// input, events lines of JSON on standard output.
//   driver.mjs CHROMIUM PROFILE-DIR [SPKI-HASH]
import { createServer } from 'node:http'
import { createInterface } from 'node:readline'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'
import { chromium } from 'playwright-core'

const [, , executablePath, profile, spki] = process.argv
const say = (page, event) => process.stdout.write(`${JSON.stringify({ page, event })}\n`)

const script = buildSync({
  entryPoints: [join(dirname(fileURLToPath(import.meta.url)), 'page.js')],
  bundle: true, write: false, format: 'iife', define: { global: 'window' }, logLevel: 'silent',
}).outputFiles[0].contents

// Pages of a loopback host may use the microphone, which is a fake one.
const server = createServer((req, res) => {
  const isScript = req.url.startsWith('/page.js')
  res.setHeader('Content-Type', isScript ? 'text/javascript' : 'text/html')
  res.end(isScript ? script : '<!doctype html><title>phone</title><script src="/page.js"></script>')
})
await new Promise((ready) => server.listen(0, '127.0.0.1', ready))
const origin = `http://127.0.0.1:${server.address().port}`

const browser = await chromium.launchPersistentContext(profile, {
  executablePath, headless: true,
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream',
    ...(spki ? [`--ignore-certificate-errors-spki-list=${spki}`] : []),
  ],
})
const pages = {}

const commands = {
  async open({ page, lib, ...phone }) {
    const p = pages[page] = await browser.newPage()
    p.phone = phone
    p.on('pageerror', (e) => process.stderr.write(`${page}: ${e}\n`))
    p.on('console', (m) => process.stderr.write(`${page}: ${m.text()}\n`))
    await p.exposeFunction('tell', (event) => say(page, event))
    await p.goto(`${origin}/?lib=${lib}`)
    await p.evaluate((phone) => window.phone.start(phone), phone)
  },
  async reload({ page }) {
    await pages[page].reload()
    await pages[page].evaluate((phone) => window.phone.start(phone), pages[page].phone)
  },
  close: ({ page }) => pages[page].close(),
  call: ({ page, number }) => pages[page].evaluate((number) => window.phone.call(number), number),
  answer: ({ page }) => pages[page].evaluate(() => window.phone.answer()),
  hangup: ({ page }) => pages[page].evaluate(() => window.phone.hangup()),
}

say('', 'ready')
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line)
  try {
    await commands[command.command](command)
  } catch (e) {
    process.stderr.write(`${line}: ${e}\n`)
    say(command.page, `failed: ${e}`)
  }
}
await browser.close()
server.close()
