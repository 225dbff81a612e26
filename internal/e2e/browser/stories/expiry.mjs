// The session ends while somebody types: the page stays as it is under the login, and
// goes on where it was. After a reload the login leads back to the page that was asked for.
import { check, dialogOf, entered, expected, key, login, shown, toastOf, want } from '../kit.mjs'

export default async function expiry() {
  const page = await entered()
  const [cookie] = await page.context().cookies()
  want([cookie.httpOnly, cookie.sameSite, cookie.secure, cookie.path].join(), `true,Strict,${page.url().startsWith('https:')},/`, 'the flags of the cookie')
  await shown(page, '/extensions')
  await page.getByRole('button', { name: 'Add an extension' }).first().click()
  await dialogOf(page).getByLabel('Number').fill('301')
  await dialogOf(page).getByLabel('Name').fill('Typed before')
  await page.context().clearCookies() // as a browser does when it is over
  expected.push([/./, 401])
  await dialogOf(page).getByRole('button', { name: 'Save' }).click()
  await page.locator('#again').waitFor()
  await check(page, 'over', false)
  await page.locator('#again').getByLabel('API key').fill(key)
  await page.keyboard.press('Enter')
  await page.locator('#again').waitFor({ state: 'detached' })
  want(await dialogOf(page).getByLabel('Name').inputValue(), 'Typed before', 'what was typed')
  await dialogOf(page).getByRole('button', { name: 'Save' }).click()
  await page.getByText('SIP password, shown this once').waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('cell', { name: 'Typed before' }).waitFor()

  await shown(page, '/audit')
  await page.context().clearCookies()
  await page.reload()
  await login(page)
  await page.getByRole('heading', { name: 'Audit' }).waitFor()
  want(await page.locator('.toast').count(), await toastOf(page, 'x').count(), 'messages')
}
