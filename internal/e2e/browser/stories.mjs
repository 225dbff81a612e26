// Walks one story of the admin page in a headless Chromium, with a picture of each step.
//   stories.mjs STORY ORIGIN CHROMIUM DIR    (the key on the first line of standard input)
// It fails on a console error or an exception in the page. "need WORD" on standard output
// asks for something outside of the page; a line on standard input says that it is there.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { chromium } from 'playwright-core'

const [, , story, origin, executablePath, dir] = process.argv
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const key = (await lines.next()).value
const faults = []
const fail = (what) => { faults.push(what); process.stderr.write(`${what}\n`) }
const want = (got, expected, what) => { if (got !== expected) fail(`${what}: ${JSON.stringify(got)}, want ${JSON.stringify(expected)}`) }
const need = async (word) => { process.stdout.write(`need ${word}\n`); return (await lines.next()).value }

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] })

let pictures = 0
async function open(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
  context.setDefaultTimeout(30000)
  const page = await context.newPage()
  page.on('pageerror', (e) => fail(`exception at ${page.url()}: ${e.message}`))
  page.on('console', (m) => {
    // What Chromium says of every answer that is no success; stories look at those themselves.
    const refused = m.text().includes('status of 422') || (m.text().includes('status of 401') && m.location().url.endsWith('/v1/pbx/session'))
    if (m.type() === 'error' && !refused) fail(`console at ${page.url()}: ${m.text()} ${m.location().url}`)
  })
  await page.goto(origin)
  return page
}
const picture = (page, name) => page.screenshot({ path: join(dir, `${String(++pictures).padStart(2, '0')}-${name}.png`), fullPage: true })
async function login(page) {
  await page.getByLabel('API key').fill(key)
  await page.getByRole('button', { name: 'Log in' }).click()
  await page.locator('.figure').waitFor()
}
const entered = async (options) => { const page = await open(options); await login(page); return page }
const go = (page, hash) => page.evaluate((h) => { location.hash = h }, hash)
const dialogOf = (page) => page.getByRole('dialog')

const stories = {
  // A wrong key, the right one, a reload, a write from another site, logging out.
  async session() {
    const page = await open()
    await page.getByLabel('API key').fill('do_live_wrong')
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.locator('.summary').waitFor()
    await picture(page, 'wrong-key')
    await login(page)
    await page.reload()
    await page.locator('.figure').waitFor()
    want(await page.evaluate(() => document.cookie + JSON.stringify({ ...localStorage, ...sessionStorage })), '{}', 'what scripts can read of the session')

    const elsewhere = createServer((_, res) => { res.setHeader('Content-Type', 'text/html'); res.end('<!doctype html><title>elsewhere</title>') })
    await new Promise((ready) => elsewhere.listen(0, '127.0.0.1', ready))
    const other = await page.context().newPage()
    await other.goto(`http://127.0.0.1:${elsewhere.address().port}/`)
    await other.evaluate(async (url) => {
      for (const type of ['text/plain', 'application/json']) await fetch(url, { method: 'POST', mode: type === 'text/plain' ? 'no-cors' : 'cors', credentials: 'include', headers: { 'Content-Type': type }, body: '{"number":"666"}' }).catch(() => {})
    }, `${origin}/v1/pbx/extensions`)
    await other.close()
    elsewhere.close()

    await go(page, '/extensions')
    await page.getByRole('button', { name: 'Add an extension' }).click()
    await dialogOf(page).getByLabel('Number').fill('201')
    await dialogOf(page).getByRole('button', { name: 'Save' }).click()
    await page.getByText('SIP password, shown this once').waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: 'Log out' }).click()
    await page.getByLabel('API key').waitFor()
    want(await page.evaluate(async () => (await fetch('/v1/pbx/session')).status), 401, 'the session after logging out')
    want((await page.context().cookies()).length, 0, 'cookies after logging out')
    await picture(page, 'logged-out')
  },

  // A phone nobody provisioned is plugged in, adopted on the page and registers.
  async adopt() {
    const page = await entered()
    await go(page, '/pending')
    await page.getByRole('button', { name: 'Open a window' }).click()
    await dialogOf(page).getByLabel('Network').fill('127.0.0.0/8')
    await dialogOf(page).getByRole('button', { name: 'Open a window' }).click()
    await page.getByText('Open until').waitFor()
    const mac = await need('phone')
    const adopt = page.getByRole('button', { name: `Adopt ${mac}` })
    await adopt.waitFor() // without a reload
    await picture(page, 'waiting')
    await adopt.focus()
    await page.keyboard.press('Enter') // all of it by keyboard
    await dialogOf(page).getByLabel('Extension').fill('999')
    await page.keyboard.press('Enter')
    await dialogOf(page).locator('.wrong:not(:empty)').waitFor()
    await picture(page, 'no-such-extension')
    await dialogOf(page).getByLabel('Extension').fill('101')
    await page.keyboard.press('Enter')
    await page.locator('.facts .badge.registered').waitFor({ timeout: 60000 })
    await page.locator('.key.set .lamp.on').waitFor()
    await page.locator('.timeline').getByText('Register').first().waitFor()
    await picture(page, 'registered')
  },

  // A broken template is uploaded; its line is marked; it is mended, previewed and
  // activated; the phone fetches it.
  async template() {
    const page = await entered()
    await go(page, '/templates')
    await page.getByRole('button', { name: 'Upload a file' }).click()
    const builtin = await page.evaluate(async () => (await (await fetch('/v1/pbx/templates/yealink-phone')).json()).content)
    const content = `${builtin.trimEnd()}\nphone_setting.lcd_logo.mode = 1\n{{.Nothing}}\n`
    const broken = new RegExp(`Line ${content.split('\n').length - 1}, column`)
    await dialogOf(page).getByLabel('Choose a file').setInputFiles({ name: 'lobby.tmpl', mimeType: 'text/plain', buffer: Buffer.from(content) })
    await dialogOf(page).getByLabel('Name').fill('yealink-phone')
    await dialogOf(page).getByLabel('Maker').selectOption('yealink')
    await dialogOf(page).getByRole('button', { name: 'Upload' }).click()
    await page.getByRole('button', { name: broken }).waitFor()
    await page.getByRole('button', { name: broken }).click()
    await page.locator('.cm-lint-marker-error').waitFor()
    await picture(page, 'marked')
    await page.keyboard.press('Shift+End')
    await page.keyboard.press('Delete')
    await page.getByText(/It may be used/).waitFor()
    await page.locator('#rendered').getByText('phone_setting.lcd_logo.mode = 1').waitFor()
    want((await page.locator('#rendered').innerText()).includes('account.1.password = ********'), true, 'the preview masks the password')
    await picture(page, 'previewed')
    await page.getByRole('button', { name: 'Activate' }).click()
    want(await page.locator('#changed').innerText(), '1', 'phones that would get another file')
    await picture(page, 'impact')
    await dialogOf(page).getByRole('button', { name: 'Activate', exact: true }).click()
    await page.locator('.toast').getByText('Revision 1 is active').waitFor()
    await page.getByRole('heading', { name: 'Revisions' }).waitFor()
    await picture(page, 'activated')
    await go(page, '/phones')
    await page.locator('tbody a').first().click()
    await page.getByRole('button', { name: 'Resync' }).click()
    await page.locator('.badge.applied').waitFor({ timeout: 60000 })
    await page.locator('pre').getByText('phone_setting.lcd_logo.mode = 1').waitFor()
    await picture(page, 'applied')

    // Another revision, and the way back.
    await go(page, '/templates/yealink-phone')
    await page.getByText(/It may be used/).waitFor()
    await page.locator('.cm-content').click()
    await page.keyboard.press('Control+End')
    await page.keyboard.type('# second\n')
    await page.getByText(/It may be used/).waitFor()
    await page.getByRole('button', { name: 'Activate' }).click()
    await dialogOf(page).getByLabel('Note').fill('a remark')
    await dialogOf(page).getByRole('button', { name: 'Activate', exact: true }).click()
    await page.getByRole('cell', { name: 'a remark' }).waitFor()
    await page.getByRole('button', { name: 'Use the built-in one' }).click()
    await page.locator('.toast').getByText('The built-in template is active').waitFor()
    await page.getByRole('button', { name: 'Make active 1' }).click()
    await page.locator('.toast').getByText('Revision 1 is active again').waitFor()
    await picture(page, 'back')
  },

  // An image goes up slowly enough to be watched, becomes a target in waves, and is
  // not deleted while it is one.
  async firmware() {
    const page = await entered()
    await go(page, '/firmware')
    await page.getByRole('button', { name: 'Upload an image' }).click()
    const said = []
    await page.exposeFunction('said', (words) => said.push(words))
    await page.evaluate(() => new MutationObserver(() => window.said(document.querySelector('#sent').textContent)).observe(document.querySelector('#sent'), { childList: true, characterData: true, subtree: true }))
    const line = await page.context().newCDPSession(page)
    await line.send('Network.enable')
    await line.send('Network.emulateNetworkConditions', { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: 4 << 20 })
    await dialogOf(page).getByLabel('Image', { exact: true }).setInputFiles({ name: 'T46S-66.99.0.1.rom', mimeType: 'application/octet-stream', buffer: Buffer.alloc(6 << 20, 'firmware') })
    await dialogOf(page).getByLabel('Models').fill('T46S')
    await dialogOf(page).getByRole('button', { name: 'Upload' }).click()
    await dialogOf(page).getByText(/[1-9]\d? % sent/).waitFor()
    await picture(page, 'sending')
    await page.getByText('The image is stored.').waitFor()
    if (!said.some((w) => /^[1-9]\d? % sent/.test(w))) fail(`the progress was ${said}`)
    await page.getByRole('button', { name: 'Set a target' }).click()
    await dialogOf(page).getByLabel('Model', { exact: true }).fill('T46S')
    await dialogOf(page).getByRole('button', { name: 'Save' }).click()
    await page.getByRole('cell', { name: 'T46S', exact: true }).first().waitFor()
    await page.locator('[aria-labelledby=targets]').getByText('66.99.0.1', { exact: true }).waitFor()
    await picture(page, 'target')
  },

  // A layer is saved, refused, and seen on the phone; secrets are not shown again.
  async settings() {
    const page = await entered()
    await go(page, '/settings')
    await page.getByLabel('vlan.id').fill('9999')
    await page.getByLabel('adminPassword').fill('planted-secret-1')
    await page.getByLabel('timezone').fill('Mars/Olympus')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByLabel('vlan.id').fill('120')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.locator('.wrong[data-for=timezone]:not(:empty)').waitFor()
    await picture(page, 'refused')
    await page.getByLabel('timezone').fill('Europe/Berlin')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.locator('.toast').getByText(/Saved/).waitFor()
    await page.reload()
    await page.getByLabel('timezone').waitFor()
    want(await page.getByLabel('adminPassword').inputValue(), '', 'the password in the form')
    await page.getByLabel('language').selectOption('de')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.locator('.toast').getByText(/Saved/).waitFor()
    for (const hash of ['/settings', '/audit', '/phones']) {
      await go(page, hash)
      await page.locator('tbody, form.settings').first().waitFor()
      want((await page.content()).includes('planted-secret-1'), false, `the password on ${hash}`)
    }
    await page.locator('tbody a').first().click()
    await page.getByText('What the layers make of this phone.').click()
    await page.getByRole('row', { name: /timezone Europe\/Berlin global/ }).waitFor()
    want((await page.content()).includes('planted-secret-1'), false, 'the password on the page of the phone')
    await picture(page, 'effective')
  },

  // Every page, light and dark and as wide as a hand: no serious finding of axe-core, no
  // console error, nothing wider than the screen.
  async pages() {
    const axe = readFileSync(new URL('./node_modules/axe-core/axe.min.js', import.meta.url), 'utf8')
    const looks = { light: {}, dark: { colorScheme: 'dark' }, small: { viewport: { width: 390, height: 844 } } }
    const check = async (page, name) => {
      const found = await page.evaluate(async () => (await window.axe.run()).violations.filter((v) => ['serious', 'critical'].includes(v.impact)).map((v) => `${v.id}: ${v.nodes.map((n) => `${n.target.join(' ')} ${n.any[0]?.message ?? ''}`).join(' | ')}`))
      found.forEach((f) => fail(`${name}: ${f}`))
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
      if (over > 0) fail(`${name}: ${over} pixels wider than the screen`)
      await picture(page, name)
    }
    await Promise.all(Object.entries(looks).map(async ([look, options]) => {
      const page = await open(options)
      await page.getByLabel('API key').waitFor()
      await page.evaluate(axe) // from outside of the page, whose policy lets it load nothing
      await check(page, `login-${look}`)
      await login(page)
      const phone = await page.evaluate(async () => (await (await fetch('/v1/pbx/phones?registered=true')).json()).phones[0].id)
      const polycom = await page.evaluate(async () => (await (await fetch('/v1/pbx/phones?macAddress=0004f2abcdef')).json()).phones[0].id)
      for (const name of ['', 'phones', 'pending', 'extensions', 'templates', 'templates/yealink-phone', 'firmware', 'dhcp', 'settings', 'jobs', 'audit', 'keys', `phones/${phone}`, `phones/${polycom}`]) {
        await go(page, `/${name}`)
        await page.locator('main h1').waitFor()
        await page.waitForFunction(() => !document.querySelector('main .hint')?.textContent.startsWith('Loading'))
        if (name.startsWith('phones/')) await page.getByLabel('Explain').check()
        if (name.startsWith('templates/')) await page.getByText(/It may be used/).waitFor()
        if (name.endsWith(polycom)) await page.getByRole('link', { name: /app.log/ }).waitFor()
        await check(page, `${name === '' ? 'overview' : name.replace(phone, 'phone').replace(polycom, 'polycom').replace('/', '-')}-${look}`)
      }
    }))
  },
}

try {
  await stories[story]()
} catch (e) {
  fail(String(e.stack || e))
  for (const context of browser.contexts()) for (const page of context.pages()) await picture(page, 'failed').catch(() => {})
}
await browser.close()
process.exit(faults.length > 0 ? 1 : 0)
