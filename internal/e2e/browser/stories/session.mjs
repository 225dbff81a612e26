// A wrong key, the right one, a reload, a write from another site, logging out.
import { createServer } from 'node:http'
import { dialogOf, go, login, open, origin, picture, want } from '../kit.mjs'

export default async function session() {
  const page = await open()
  await page.getByLabel('API key').fill('do_live_wrong')
  await page.getByRole('button', { name: 'Log in' }).click()
  await page.locator('.summary').waitFor()
  await picture(page, 'wrong-key')
  await login(page)
  await page.reload()
  await page.locator(".figure").waitFor()
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
  await page.getByRole('button', { name: 'Add an extension' }).first().click()
  await dialogOf(page).getByLabel('Number').fill('201')
  await dialogOf(page).getByRole('button', { name: 'Save' }).click()
  await page.getByText('SIP password, shown this once').waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: 'Log out' }).click()
  await page.getByLabel('API key').waitFor()
  want(await page.evaluate(async () => (await fetch('/v1/pbx/session')).status), 401, 'the session after logging out')
  want((await page.context().cookies()).length, 0, 'cookies after logging out')
  await picture(page, 'logged-out')
}
