// New passwords: of an extension, shown once; of a phone's lines, which it fetches.
import { check, dialogOf, entered, need, picture, shown, toastOf, want } from '../kit.mjs'

export default async function rotate() {
  const page = await entered()
  await shown(page, '/extensions')
  await page.getByRole('button', { name: 'New password 102' }).click()
  await dialogOf(page).getByRole('button', { name: 'New password' }).click()
  await page.getByText('SIP password, shown this once').waitFor()
  const password = await page.locator('.secret code').innerText()
  await page.evaluate(() => Object.defineProperty(navigator, 'clipboard', { value: undefined })) // as without HTTPS
  await page.getByRole('button', { name: 'Copy' }).click()
  await toastOf(page, 'copy it with Ctrl+C').waitFor()
  want(await page.evaluate(() => getSelection().toString()), password, 'what is selected')
  await check(page, 'password', false)
  await page.keyboard.press('Escape')
  await page.waitForFunction(() => !document.querySelector('dialog'))
  want((await page.content()).includes(password), false, 'the password is still on the page')

  await shown(page, '/phones')
  await page.getByRole('link', { name: '101 Front Desk' }).click()
  await page.getByRole('button', { name: 'New passwords' }).click()
  await dialogOf(page).getByRole('button', { name: 'New passwords' }).click()
  await toastOf(page, 'The lines have new passwords').waitFor()
  await page.getByRole('button', { name: 'Resync' }).click()
  await page.locator('.badge.applied').waitFor({ timeout: 60000 })
  await page.locator('.key.set .lamp.on').waitFor()
  await picture(page, 'registered-with-the-new-one')

  // A path of its own; the phone at the other end of the world gets its files there.
  await page.getByRole('button', { name: 'Secret path' }).click()
  await dialogOf(page).getByRole('button', { name: 'Make one' }).click()
  await page.getByText('The URL, shown this once').waitFor()
  const url = await page.locator('.secret code').innerText()
  want(/\/p\/[a-z0-9]{20,}\/$/.test(url), true, `the path ${url}`)
  await check(page, 'secret-path', false)
  await need(`fetch ${url}`)
}
