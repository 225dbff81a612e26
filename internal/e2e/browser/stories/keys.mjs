// A key with two scopes and an end; who logs in with it sees what it may and no more; when
// it is revoked the session is over.
import { check, dialogOf, entered, expected, login, open, shown, toastOf, want } from '../kit.mjs'

export default async function keys() {
  const page = await entered()
  await shown(page, '/keys')
  await page.getByRole('button', { name: 'Make a key' }).click()
  await dialogOf(page).getByLabel('Name').fill('reception')
  for (const box of await dialogOf(page).getByRole('checkbox').all()) await box.uncheck()
  await dialogOf(page).getByLabel('pbx:phones:read').check()
  await dialogOf(page).getByLabel('pbx:extensions:read').check()
  const later = new Date(Date.now() + 7 * 864e5).toISOString().slice(0, 10)
  await dialogOf(page).getByLabel('Expires').fill(later)
  await check(page, 'new-key', false)
  await dialogOf(page).getByRole('button', { name: 'Save' }).click()
  await page.getByText('The key, shown this once').waitFor()
  const key = await page.locator('.secret code').innerText()
  await page.keyboard.press('Escape')
  const row = page.getByRole('row', { name: /^reception/ })
  await row.getByText('pbx:extensions:read').waitFor()
  want(await row.locator('time').nth(1).getAttribute('datetime'), `${later}T00:00:00Z`, 'when it expires')
  await check(page, 'keys')

  const other = await open()
  await login(other, key)
  const menu = await other.locator('#nav a').allInnerTexts()
  want(menu.join(), 'Overview,Phones,Waiting,Extensions,DHCP,Settings,Jobs', 'the menu of the key')
  await shown(other, '/extensions')
  want(await other.getByRole('button', { name: 'Add an extension' }).count(), 0, 'buttons that it may not press')
  await other.evaluate(() => { location.hash = '/keys' })
  await other.getByText('does not have the scope pbx:keys:write').waitFor()
  await check(other, 'forbidden')
  await shown(other, '/phones')

  await page.getByRole('button', { name: 'Revoke reception' }).click()
  await dialogOf(page).getByRole('button', { name: 'Revoke' }).click()
  await toastOf(page, 'The key is good no more').waitFor()
  expected.push([/./, 401])
  await other.locator('#again').waitFor({ timeout: 60000 })
  await check(other, 'over', false)
  await other.keyboard.press('Escape')
  await other.locator('form.login').waitFor()
}
